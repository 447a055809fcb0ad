"""Publishing to the PBX: work for all tenants waits only for a limited time for a queue that is full."""

import asyncio

import pytest

from sms_common.broker import Outgoing
from sms_common.errors import Code, Unavailable
from sms_dispatcher.delivery.status_publisher import StatusPublisher

MESSAGE = Outgoing("sms", "sms.status.acme.sent", b"{}", "t", "m")


class Full:
    """A broker whose queue for this takes nothing at first."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.taken: list[Outgoing] = []

    async def publish(self, message: Outgoing) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Unavailable(Code.BROKER_UNAVAILABLE, "The queue is full.")
        self.taken.append(message)


async def test_what_is_refused_is_told_again():
    broker = Full(2)
    await StatusPublisher(broker).publish_raw(MESSAGE)

    assert broker.taken == [MESSAGE]


async def test_one_that_works_for_all_gives_up_in_time():
    with pytest.raises(Unavailable, match="did not take"):
        async with asyncio.timeout(5):
            await StatusPublisher(Full(1_000_000), within=0.01).publish_raw(MESSAGE)
