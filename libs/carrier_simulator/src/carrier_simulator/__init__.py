"""Simulated carriers for demonstrations and tests, with a control API to script them and to read what happened."""

from carrier_simulator.carrier.accounts import Application, Credential, SimulatedAccount, User, WebhookCredentials
from carrier_simulator.carrier.clock import Clock
from carrier_simulator.carrier.faults import Fault
from carrier_simulator.carrier.inbound import InboundPart, InboundRequest
from carrier_simulator.carrier.outcomes import MessageOutcome
from carrier_simulator.carrier.records import ArrivedMessage
from carrier_simulator.running import running
from carrier_simulator.settings import SimulatorSettings
from carrier_simulator.simulator import Simulator
from carrier_simulator.webhooks.requests import Attempt

__all__ = [
    "Application",
    "ArrivedMessage",
    "Attempt",
    "Clock",
    "Credential",
    "Fault",
    "InboundPart",
    "InboundRequest",
    "MessageOutcome",
    "SimulatedAccount",
    "Simulator",
    "SimulatorSettings",
    "User",
    "WebhookCredentials",
    "running",
]
