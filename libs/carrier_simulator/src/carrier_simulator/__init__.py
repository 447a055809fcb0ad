"""A faithful local Bandwidth: token, messages, media, webhooks, and a control API to script and to judge."""

from carrier_simulator.accounts import Account, Application, CallbackCredentials, Credential, User
from carrier_simulator.clock import Clock
from carrier_simulator.faults import Fault
from carrier_simulator.inbound import InboundPart, InboundRequest
from carrier_simulator.outcomes import Outcome
from carrier_simulator.records import Arrival
from carrier_simulator.running import running
from carrier_simulator.settings import SimulatorSettings
from carrier_simulator.simulator import Simulator
from carrier_simulator.webhooks import Attempt

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
