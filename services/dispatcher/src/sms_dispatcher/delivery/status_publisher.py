"""Publishes status events. It does not give up while the broker is away: what is recorded must also be published."""

import asyncio
from collections.abc import Iterable
from functools import partial

from sms_common.backoff import BackoffPolicy, retry_until_available
from sms_common.broker import Outgoing, Publisher
from sms_common.errors import Code, Unavailable
from sms_common.events import StatusEvent
from sms_dispatcher.delivery.statuses import outgoing

_UNTIL_TAKEN = BackoffPolicy(0.1, 5.0)


class StatusPublisher:
    """Publishes until the broker confirms. Only cancellation ends it early; the delivery behind it is then given
    again. One queue that takes nothing would hold up whoever works for all: `within` is how many seconds those wait
    before it raises Unavailable.
    """

    def __init__(self, publisher: Publisher, *, within: float | None = None) -> None:
        self._publisher = publisher
        self._within = within

    async def publish(self, events: Iterable[StatusEvent]) -> None:
        """Publish status events, each at least once."""
        messages = [outgoing(event) for event in events]
        if len(messages) == 1:
            await self.publish_raw(messages[0])
        else:
            await asyncio.gather(*(self.publish_raw(message) for message in messages))

    async def publish_raw(self, message: Outgoing) -> None:
        """Publish one message at least once."""
        try:
            async with asyncio.timeout(self._within):
                await retry_until_available(partial(self._publisher.publish, message), policy=_UNTIL_TAKEN)
        except TimeoutError:
            reason = "The broker did not take an event for the PBX."
            raise Unavailable(Code.BROKER_UNAVAILABLE, reason) from None
