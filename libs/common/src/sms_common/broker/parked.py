"""What lies in a parking place (`sms.dead`, `sms.unrouted`): why, whence, and how it goes back. Knows no AMQP."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import orjson

from sms_common.broker.headers import (
    CODE,
    DEAD_AT,
    DEFERRALS,
    FIRST_DEATH_QUEUE,
    FIRST_DEATH_REASON,
    LAST_DEATH_QUEUE,
    ORIGIN_KEY,
    REASON,
    ROUTING_KEY,
    SOURCE_QUEUE,
    TRACEPARENT,
    trace_of,
)
from sms_common.broker.messages import JSON, Delivery, HeaderValue, Outgoing
from sms_common.events import InboundEvent, event_id
from sms_common.topology import DEFAULT_EXCHANGE, SMS, inbound_key, parse_outbound_key

# A parked message may have been put there by anyone who may publish; none may name another queue as its origin.
_OUR_QUEUES = ("sms.", "pbx.")
_LADDER = ("sms.retry.", "sms.wait.")
# The door of a carrier's webhook that was kept as it came: it can be handed in there again, which is no publishing.
FROM_WEBHOOKS = "webhooks"


class NoWayBack(Exception):  # it is an answer to the person who asked
    """Why a parked message cannot be published again as it is, as a sentence."""


@dataclass(frozen=True, slots=True)
class Parked:
    """One parked message. `id` is its `message_id`, or follows from its content when it came without one.

    `source` is the queue it came from, the door through which it came (such as `webhooks`), or None when it was
    published and nobody was bound. `routing_key` is the one it was first published with.
    """

    id: str
    code: str | None
    reason: str | None
    source: str | None
    routing_key: str
    parked_at: str | None
    delivery: Delivery

    @classmethod
    def read(cls, delivery: Delivery) -> Self:
        """Read the facts about a message that came out of a parking place. Never raises."""
        headers = delivery.headers
        source = _source(headers)
        key = _text(headers, ROUTING_KEY) or _text(headers, ORIGIN_KEY) or delivery.routing_key
        return cls(
            id=delivery.message_id or event_id("parked", delivery.routing_key, delivery.body),
            code=_text(headers, CODE) or _text(headers, FIRST_DEATH_REASON),
            reason=_text(headers, REASON),
            source=source,
            routing_key=_key_of_request(source, key),
            parked_at=_text(headers, DEAD_AT),
            delivery=delivery,
        )

    def back(self, *, tenant_id: str | None = None) -> Outgoing:
        """It, as it is published to be worked on once more: to its queue, or where it was first published.

        Its failures are forgotten, its ids stay, so a second look does no harm, and it says that it was worked on
        before: what was recorded then may not have been told. `tenant_id` gives an inbound text that nobody owned to a
        tenant. Raises NoWayBack.
        """
        if tenant_id is not None:
            return self._given_to(tenant_id)
        if self.source is None:
            if self.routing_key.startswith("sms.inbound.-."):
                raise NoWayBack("Nobody owned its number when it came; name the tenant that gets it.")
            return self._published(SMS, self.routing_key, self.delivery.body)
        if not self.source.startswith(_OUR_QUEUES):
            raise NoWayBack(f"It came through {self.source}, which is no queue; hand its body in there again.")
        return self._published(
            DEFAULT_EXCHANGE, self.source, self.delivery.body, {ORIGIN_KEY: self.routing_key, DEFERRALS: 1}
        )

    def _given_to(self, tenant_id: str) -> Outgoing:
        # An inbound text that nobody owned has no tenant yet, and so is no whole event.
        try:
            event = InboundEvent.model_validate({**orjson.loads(self.delivery.body), "tenant_id": tenant_id})
        except (TypeError, ValueError):
            raise NoWayBack("Only an inbound text can be given to a tenant.") from None
        return self._published(SMS, inbound_key(tenant_id, event.did), event.encode())

    def _published(
        self, exchange: str, routing_key: str, body: bytes, headers: Mapping[str, HeaderValue] | None = None
    ) -> Outgoing:
        trace = trace_of(self.delivery.headers)
        return Outgoing(
            exchange=exchange,
            routing_key=routing_key,
            body=body,
            type=self.delivery.type or "",
            message_id=self.id,
            correlation_id=self.delivery.correlation_id,
            headers={**(headers or {}), **({TRACEPARENT: trace} if trace else {})},
            timestamp=self.delivery.timestamp,
            content_type=self.delivery.content_type or JSON,
        )


def _key_of_request(source: str | None, key: str) -> str:
    """`key`, unless the queue is that of another tenant's requests than it names: CC may have brought it there."""
    owner = parse_outbound_key(source or "").tenant_id
    return key if source is None or owner in {None, parse_outbound_key(key).tenant_id} else source


def _text(headers: Mapping[str, HeaderValue], name: str) -> str | None:
    value = headers.get(name)
    return value if isinstance(value, str) and value else None


def _source(headers: Mapping[str, HeaderValue]) -> str | None:
    """Where it came from; the retry ladder is a way and not an origin."""
    named = (_text(headers, name) for name in (SOURCE_QUEUE, LAST_DEATH_QUEUE, FIRST_DEATH_QUEUE))
    return next((queue for queue in named if queue and not queue.startswith(_LADDER)), None)
