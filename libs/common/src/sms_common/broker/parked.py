"""The messages in `sms.dead` and `sms.unrouted`: why they are there, where they come from, how they are replayed."""

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

# Anybody who may publish can put a message there, and must not be able to name a queue of somebody else as its origin.
_OUR_QUEUES = ("sms.", "pbx.")
_LADDER = ("sms.retry.", "sms.wait.")
# The source of a carrier's webhook that was kept unchanged. It is replayed by posting it again, not by publishing it.
FROM_WEBHOOKS = "webhooks"
_INBOUND = "sms.inbound."


class NoWayBack(Exception):  # it is an answer to the person who asked
    """Why a parked message cannot be published again, as a sentence."""


@dataclass(frozen=True, slots=True)
class Parked:
    """One parked message. `id` is its `message_id`, or is computed from its content when it has none.

    `source` is the queue it came from, or `webhooks`, or None when it was published and no queue was bound.
    `routing_key` is the one it was first published with.
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
        """Read the facts about a message from `sms.dead` or `sms.unrouted`. Never raises."""
        headers = delivery.headers
        # Whoever may publish can get a message into `sms.unrouted`, with headers that name another origin.
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
        """The inbound text that no queue took, or None when it is something else. Its tenant is taken from the routing
        key, which the broker saw.
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
        """The message to publish so that it is worked on again: to its queue, or where it was first published.

        Its failures are forgotten. Its ids stay the same, so working on it twice does no harm. It is marked as worked
        on before, since what was recorded then may not have been published. An inbound text that no queue took is
        treated like a new one: its tenant, the rules and the blocked senders are looked up again. `tenant_id`, which a
        person gives, says through whose webhook it came. Raises NoWayBack.
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
        """The text as the dispatcher reads it: from the queue of the carriers' events."""
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
    """`key`, or `source` when that is the queue of another tenant than `key` names: a CC header may have done this."""
    owner = parse_outbound_key(source or "").tenant_id
    return key if source is None or owner in {None, parse_outbound_key(key).tenant_id} else source


def _text(headers: Mapping[str, HeaderValue], name: str) -> str | None:
    value = headers.get(name)
    return value if isinstance(value, str) and value else None


def _source(headers: Mapping[str, HeaderValue]) -> str | None:
    """The queue it came from. Queues of the retry ladder do not count."""
    named = (_text(headers, name) for name in (SOURCE_QUEUE, LAST_DEATH_QUEUE, FIRST_DEATH_QUEUE))
    return next((queue for queue in named if queue and not queue.startswith(_LADDER)), None)
