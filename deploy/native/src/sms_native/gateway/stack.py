"""The gateway as it runs on this machine, natively or in containers: its addresses, and whether a part has ended."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stack:
    """A running gateway. Addresses are as this machine reaches them."""

    env: Mapping[str, str] = field(repr=False)
    """The content of .env."""
    amqp_url: str = field(repr=False)
    management_url: str | None = field(repr=False)
    """RabbitMQ's web page and HTTP API, with user and password; None for a RabbitMQ that runs elsewhere."""
    config_url: str
    ingress_url: str
    dispatcher_url: str
    simulator_url: str
    ended: "asyncio.Future[str]"
    """Completed, with a sentence, when a part of it has ended by itself."""
