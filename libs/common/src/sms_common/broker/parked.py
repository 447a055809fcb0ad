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
from sms_common.topology import CARRIER, DEFAULT_EXCHANGE, NO_TENANT, SMS, UNROUTED, parse_outbound_key

# A parked message may have been put there by anyone who may publish; none may name another queue as its origin.
_OUR_QUEUES = ("sms.", "pbx.")
_LADDER = ("sms.retry.", "sms.wait.")
# The door of a carrier's webhook that was kept as it came: it can be handed in there again, which is no publishing.
FROM_WEBHOOKS = "webhooks"
_INBOUND = "sms.inbound."


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
        # Whoever may publish at all can have a message come to `sms.unrouted`, with headers that name another origin.
        strange = delivery.queue == UNROUTED
        source = None if strange else _source(headers)
        named = None if strange else _text(headers, ROUTING_KEY) or _text(headers, ORIGIN_KEY)
        return cls(
            id=delivery.message_id or event_id("parked", delivery.routing_key, delivery.body),
            code=_text(headers, CODE) or _text(headers, FIRST_DEATH_REASON),
            reason=_text(headers, REASON),
            source=source,
            routing_key=_key_of_request(source, named or delivery.routing_key),
            parked_at=_text(headers, DEAD_AT),
            delivery=delivery,
        )

    @property
    def text(self) -> InboundEvent | None:
        """The inbound text that nobody got so far, with the tenant of its routing key, the one that the broker saw;
        None when it is something else.
        """
        if self.source is not None or self.delivery.type != InboundEvent.TYPE or not self._key_of_inbound:
            return None
        try:
            tenant_id = self.routing_key.removeprefix(_INBOUND).partition(".")[0]
            body = orjson.loads(self.delivery.body)
            return InboundEvent.model_validate({**body, "tenant_id": None if tenant_id == NO_TENANT else tenant_id})
        except (TypeError, ValueError):
            return None

    @property
    def _key_of_inbound(self) -> bool:
        return self.routing_key.startswith(_INBOUND)

    def back(self, *, tenant_id: str | None = None) -> Outgoing:
        """It, as it is published to be worked on once more: to its queue, or where it was first published.

        Its failures are forgotten, its ids stay, so a second look does no harm, and it says that it was worked on
        before: what was recorded then may not have been told. An inbound text that nobody got goes the way of a new
        one: whose it is, rules and blocked senders are looked at again. With `tenant_id` that is the tenant of whose
        webhook it came by, as a person says who knows. Raises NoWayBack.
        """
        if (text := self.text) is not None:
            return self._arriving(text if tenant_id is None else text.model_copy(update={"tenant_id": tenant_id}))
        if tenant_id is not None:
            raise NoWayBack("Only an inbound text that nobody got can be given to a tenant.")
        if self.source is None:
            if self._key_of_inbound:
                raise NoWayBack("It was published as an inbound text and is none that can be read.")
            return self._published(SMS, self.routing_key, self.delivery.body)
        if not self.source.startswith(_OUR_QUEUES):
            raise NoWayBack(f"It came through {self.source}, which is no queue; hand its body in there again.")
        return self._published(
            DEFAULT_EXCHANGE, self.source, self.delivery.body, {ORIGIN_KEY: self.routing_key, DEFERRALS: 1}
        )

    def _arriving(self, text: InboundEvent) -> Outgoing:
        """The text as the dispatcher reads it: from where carriers' events come."""
        return self._published(DEFAULT_EXCHANGE, CARRIER, text.encode(), {ORIGIN_KEY: self.routing_key})

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
