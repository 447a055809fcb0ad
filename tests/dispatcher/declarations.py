"""A change of the configuration, and what is declared for it."""

import asyncio

from sms_common.configuration import Tenant
from sms_common.errors import Code, Refused
from tests.dispatcher.builders import config, snapshot

ELSEWHERE = snapshot(
    config(),
    config(id="second", tenant_id="new"),
    tenants=(Tenant(id="acme"), Tenant(id="new", pbx_id="second")),
)


class Declarations:
    """What is declared from here on; some of it refused, all of it waits until `allowed` is set."""

    def __init__(self, rig, *refused: str) -> None:
        self.seen: list[str] = []
        self.allowed = asyncio.Event()
        self.allowed.set()
        declare = rig.broker.declare

        async def watched(topology) -> None:
            await self.allowed.wait()
            names = [queue.name for queue in topology.queues]
            self.seen += names
            if set(refused) & set(names):
                raise Refused(Code.BROKER_UNAVAILABLE, "The broker refused a declaration.")
            await declare(topology)

        rig.broker.declare = watched
