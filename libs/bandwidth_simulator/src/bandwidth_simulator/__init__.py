"""A faithful local Bandwidth: token, messages, media, webhooks, and a control API to script and to judge."""

from bandwidth_simulator.accounts import Account, Application, CallbackCredentials, Credential, User
from bandwidth_simulator.clock import Clock
from bandwidth_simulator.faults import Fault
from bandwidth_simulator.inbound import InboundPart, InboundRequest
from bandwidth_simulator.outcomes import Outcome
from bandwidth_simulator.records import Arrival
from bandwidth_simulator.running import running
from bandwidth_simulator.settings import SimulatorSettings
from bandwidth_simulator.simulator import Simulator
from bandwidth_simulator.webhooks import Attempt

__all__ = [
    "Account",
    "Application",
    "Arrival",
    "Attempt",
    "CallbackCredentials",
    "Clock",
    "Credential",
    "Fault",
    "InboundPart",
    "InboundRequest",
    "Outcome",
    "Simulator",
    "SimulatorSettings",
    "User",
    "running",
]
