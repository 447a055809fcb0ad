"""Reports of ingress are stored; anything else on the queue is dead-lettered."""

import pytest

from sms_common.broker import Delivery
from sms_common.errors import UnreadableEvent
from sms_common.events import WebhooksSeen
from sms_config.operations.webhook_activity import WebhookActivityRecorder


async def test_what_is_no_such_event_is_dead_lettered(store):
    with pytest.raises(UnreadableEvent):
        await WebhookActivityRecorder(store).handle(Delivery("sms.seen", "sms.seen", b"{}", WebhooksSeen.TYPE))
