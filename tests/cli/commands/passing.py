"""Events that pass through a broker."""

from datetime import UTC, datetime

from sms_common.broker import Listener, Outgoing
from sms_common.events import (
    InboundEvent,
)
from sms_common.testing.broker import FakeBroker
from sms_common.testing.queues import FakeListener
from sms_common.topology import SMS, base, pbx
from tests.common.broker.test_parked import INBOUND

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
TEXT = InboundEvent.model_validate({**INBOUND, "tenant_id": "acme", "content": "a private text"})


class Passing(FakeBroker):
    """A broker on which these messages pass once so many listen."""

    def __init__(self, listeners: int, *messages: Outgoing) -> None:
        super().__init__()
        self._left = listeners
        self._messages = messages

    async def listen(self, key: str, listener: Listener) -> FakeListener:
        listening = await super().listen(key, listener)
        self._left -= 1
        if not self._left:
            await self.declare(base())
            await self.declare(pbx("main", ["acme", "other"]))
            for message in self._messages:
                await self.publish(message)
        return listening


def event(key: str, event: object) -> Outgoing:
    return Outgoing(SMS, key, event.encode(), event.TYPE, "e")  # type: ignore[attr-defined]


INBOUND_KEY = "sms.inbound.acme.12025550123"
