"""Stores the newest webhooks of each SMS configuration, as ingress reports them on the queue `sms.seen`."""

from sms_common.broker import Delivery
from sms_common.events import WebhooksSeen, decode
from sms_config.storage.store_protocol import Store


class WebhookActivityRecorder:
    """Handles the messages of the queue `sms.seen`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle(self, delivery: Delivery) -> None:
        """Store what ingress saw. Raises Unavailable while the store is away, and UnreadableEvent."""
        event = decode(delivery.type or "", delivery.body, accept=(WebhooksSeen,))
        assert isinstance(event, WebhooksSeen)
        await self._store.record_webhooks(event.seen)
