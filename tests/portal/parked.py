"""What lies in RabbitMQ for the portal to show: dead letters, an unrouted text, and webhooks that were seen."""

import asyncio
import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sms_common import topology
from sms_common.broker import Outgoing, RabbitBroker, dead_letter
from sms_common.errors import Code
from sms_common.events import SeenWebhook, WebhooksSeen

_SAMPLES = Path(__file__).parent.parent / "data" / "events"


def publish(amqp_url: str, messages: Sequence[Outgoing]) -> None:
    """Publish these. A browser that is driven synchronously has the loop of this thread, so it is another's."""

    async def work() -> None:
        async with RabbitBroker(amqp_url, name="portal tests", topology=topology.base()) as broker:
            await broker.ready()
            for message in messages:
                await broker.publish(message)

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    thread.join()


def request(number: int) -> Outgoing:
    """A request of acme's that failed."""
    body = {"message_id": f"m{number}", "tenant_id": "acme", "extension": "101", "to": "+13125550107"}
    return dead_letter(
        json.dumps({**body, "text": "See you at nine"}).encode(),
        Code.HANDLER_FAILED,
        "Its handler failed 4 times, last with KeyError.",
        source=topology.OUTBOUND,
        routing_key=topology.outbound_key("acme"),
        type="sms.outbound.v1",
        message_id=f"m{number}",
    )


def webhook() -> Outgoing:
    """A webhook that nobody understood."""
    return dead_letter(
        b'[{"type":"message-delivered"}]',
        Code.WEBHOOK_UNREADABLE,
        "Element 0: it has no message.",
        source="webhooks",
        routing_key=topology.carrier_key("bandwidth", "front-desk"),
        type="webhook",
        message_id="w1",
    )


def unowned() -> Outgoing:
    """An inbound text for a number of acme's that nobody owned when it came."""
    event = json.loads((_SAMPLES / "sms.inbound.v1.json").read_text()) | {"did": "+12025550141"}
    del event["tenant_id"]
    return Outgoing(
        exchange=topology.UNROUTED,
        routing_key=topology.inbound_key(topology.NO_TENANT, event["did"]),
        body=json.dumps(event).encode(),
        type="sms.inbound.v1",
        message_id="i1",
        headers={"x-code": Code.UNROUTED_DID.value},
    )


def seen(config_id: str, result: str = "accepted", status: int = 200, minutes_ago: float = 3.0) -> Outgoing:
    """What ingress tells of a webhook."""
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    one = SeenWebhook(
        config_id=config_id, result=result, status=status, at=at, kind="message-delivered", source="203.0.113.7"
    )
    event = WebhooksSeen(event_id=f"{config_id} {result}", seen=(one,))
    return Outgoing(topology.DEFAULT_EXCHANGE, topology.SEEN, event.encode(), WebhooksSeen.TYPE, event.event_id)


def status(message_id: str) -> Outgoing:
    """What the dispatcher tells the PBX when a message of acme's has advanced."""
    body = json.dumps({"message_id": message_id, "tenant_id": "acme"}).encode()
    return Outgoing(topology.SMS, "sms.status.acme.delivered", body, "sms.status.v1", f"event of {message_id}")
