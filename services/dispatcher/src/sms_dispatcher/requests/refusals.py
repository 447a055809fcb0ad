"""The statuses of requests that never became a message: unreadable, of an unknown tenant, or in conflict. Pure.

They have sequence 0, since their id may belong to another request. Every status of that one is newer.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sms_common import topology
from sms_common.broker import Delivery, Outgoing
from sms_common.errors import Rejection, UnreadableEvent
from sms_common.events import Metadata, StatusError, StatusEvent, event_id
from sms_common.input.pasted import trimmed
from sms_common.messages import ErrorClass, Status
from sms_dispatcher.delivery.statuses import current, status_event
from sms_dispatcher.ledger.entries import LedgerEntry

_SHOWN = 64
# It is also the status's AMQP correlation_id, which may have 255 bytes.
_SHOWN_BYTES = 255
_METADATA: TypeAdapter[dict[str, Any] | None] = TypeAdapter(Metadata | None)


def unreadable(error: UnreadableEvent, delivery: Delivery, key_tenant: str | None, now: datetime) -> StatusEvent | None:
    """The status `rejected` of a body that is not valid. The tenant is that of the body, else `key_tenant`, which the
    routing key names. Returns None when there is none.

    The message_id is the one in the body, as the PBX wrote it and cut to what can be shown. Without one it is the AMQP
    property, else empty.
    """
    tenant_id = trimmed(_text(error.partial.get("tenant_id")) or "") or key_tenant
    if tenant_id is None:
        return None
    message_id = _shown_id(error.partial.get("message_id")) or _shown_id(delivery.message_id)
    return StatusEvent(
        event_id=event_id("unreadable", tenant_id[:_SHOWN], message_id, sha256(delivery.body).hexdigest()),
        message_id=message_id,
        tenant_id=tenant_id[:_SHOWN],
        to=_texts(error.partial.get("to")),
        sender=_text(error.partial.get("from")),
        status=Status.REJECTED,
        final=True,
        sequence=0,
        delivery=Status.REJECTED.delivery,
        reason=error.reason,
        error=StatusError(error_class=ErrorClass.PERMANENT, code=error.code, field=error.field),
        occurred_at=now,
        recorded_at=now,
        **_echo(error.partial),
    )


def _shown_id(value: object) -> str:
    """An id as it was written, without characters that no log and no AMQP property should contain. What is not a text
    is shown as JSON.
    """
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = "".join(character if character.isprintable() else "\ufffd" for character in text[:_SHOWN])
    return shown.encode(errors="replace")[:_SHOWN_BYTES].decode(errors="ignore")


def _echo(partial: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: _text(partial.get(name)) for name in ("extension", "conversation_id", "client_ref")}
    try:
        metadata = _METADATA.validate_python(partial.get("metadata"))
    except ValidationError:
        metadata = None
    return {**texts, "metadata": metadata}


def _text(value: object) -> str | None:
    """A text or a number as it was written; None when it is empty or anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = json.dumps(value)
    return value[:256] or None if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...] | str | None:
    if isinstance(value, list):
        return tuple(text[:_SHOWN] for item in value[:10] if (text := _text(item)) is not None)
    text = _text(value)
    return None if text is None else text[:_SHOWN]


def unknown(entry: LedgerEntry) -> StatusEvent:
    """The status `rejected` of a request whose tenant is unknown, or differs from the one in the routing key."""
    return status_event(replace(entry, status_sequence=0))


def conflict(known: LedgerEntry, asked: LedgerEntry, rejection: Rejection) -> StatusEvent:
    """The status `rejected` of a request whose id belongs to another one. The other one's status does not change."""
    event = status_event(replace(asked, status=Status.REJECTED, reason=rejection.reason, status_sequence=0))
    error = StatusError(error_class=ErrorClass.PERMANENT, code=rejection.code, field=rejection.field)
    return event.model_copy(
        update={"event_id": event_id("conflict", known.id, asked.fingerprint), "error": error, "delivery": "ERR"}
    )


def too_late(entry: LedgerEntry, rejection: Rejection) -> StatusEvent:
    """The answer to a cancel that came too late: the present status, and why it does not change."""
    error = StatusError(error_class=ErrorClass.POLICY, code=rejection.code, field=rejection.field)
    return current(entry)[-1].model_copy(
        update={
            "event_id": event_id("too-late", entry.id, entry.status_sequence),
            "reason": rejection.reason,
            "error": entry.error or error,
        }
    )


def to_default_pbx(event: StatusEvent) -> Outgoing:
    """The message to the default PBX about a tenant that the gateway does not know."""
    return Outgoing(
        exchange=topology.SMS,
        routing_key=topology.status_key(topology.NO_TENANT, event.status),
        body=event.encode(),
        type=StatusEvent.TYPE,
        message_id=event.event_id,
        correlation_id=event.message_id,
    )
