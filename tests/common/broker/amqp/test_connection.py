"""A channel that is watched for its end keeps nothing of those who no longer watch."""

import asyncio
from typing import Any, cast

from sms_common.broker.amqp.connection import BrokerChannel


class FakeChannel:
    """aiormq makes a new future for each question, and keeps it until the channel closes or the future is cancelled."""

    def __init__(self) -> None:
        self.kept: list[asyncio.Future[None]] = []

    @property
    def closing(self) -> asyncio.Future[None]:
        self.kept.append(asyncio.get_running_loop().create_future())
        return self.kept[-1]


async def test_who_stops_waiting_for_the_end_of_a_channel_leaves_nothing_with_it():
    raw = FakeChannel()
    unused = cast("Any", None)
    channel = BrokerChannel(cast("Any", raw), unused, unused, unused, timeout=1)
    for _ in range(3):
        waiting = asyncio.create_task(channel.closed())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert [future.cancelled() for future in raw.kept] == [True] * 3
