"""Events as lines for a person: one line each, with whole numbers and texts only on request."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from sms_common.broker import Delivery
from sms_common.errors import UnreadableEvent
from sms_common.events import (
    CancelRequest,
    CarrierInboundEvent,
    CarrierReceiptEvent,
    ConfigChanged,
    Event,
    InboundEvent,
    OutboundRequest,
    StatusEvent,
    decode,
    utc_now,
)
from smsgw.terminal import output


def read(delivery: Delivery) -> Event | None:
    """Return the event in a delivery, or None if this version cannot read it. A request may have no type."""
    try:
        return decode(delivery.type or OutboundRequest.TYPE, delivery.body)
    except UnreadableEvent:
        return None


def as_json(delivery: Delivery, *, show: bool) -> dict[str, Any]:
    """The delivery as one JSON object."""
    try:
        body = orjson.loads(delivery.body)
    except orjson.JSONDecodeError:
        body = f"<{len(delivery.body)} bytes>"
    key = delivery.routing_key if show else output.masked(delivery.routing_key)
    return {"key": key, "type": delivery.type, "event": body if show else output.masked(body)}


def line(delivery: Delivery, *, show: bool) -> str:
    """The delivery as one line: time, type, tenant, message, and what happened."""
    event = read(delivery)
    what = delivery.routing_key if show else output.masked(delivery.routing_key)
    if event is None:
        return _line(utc_now(), str(what), ["cannot be read"])
    return _line(_moment(event), event.TYPE.removesuffix(".v1"), [part for part in _parts(event, show=show) if part])


def status_line(event: StatusEvent, *, show: bool) -> str:
    """A status as one line, without tenant and message id."""
    return _line(_moment(event), event.status.value, [part for part in _of_status(event, show=show) if part])


def _line(moment: datetime, what: str, parts: Iterable[str]) -> str:
    return f"{moment.astimezone().strftime('%H:%M:%S.%f')[:-3]}  {what:<14}  {'  '.join(parts)}"


def _moment(event: Event) -> datetime:
    match event:
        case StatusEvent():
            return event.recorded_at
        case InboundEvent() | CarrierReceiptEvent() | CarrierInboundEvent():
            return event.received_at
        case ConfigChanged():
            return event.occurred_at
    return utc_now()


def _parts(event: Event, *, show: bool) -> Iterable[str]:
    parts = [event.TYPE]
    match event:
        case StatusEvent():
            parts = [event.tenant_id, event.message_id, event.status.value, *_of_status(event, show=show)]
        case InboundEvent():
            parties = _parties(event.sender, event.did, show=show)
            parts = [event.tenant_id or "-", event.message_id, parties, _text(event.content, show=show)]
        case OutboundRequest():
            to = ", ".join(output.number(number, show=show) for number in event.to)
            parts = [event.tenant_id, event.message_id, f"to {to}", _text(event.text or "", show=show)]
        case CancelRequest():
            parts = [event.tenant_id, event.message_id, "withdraw"]
        case CarrierReceiptEvent():
            about = event.reference or event.carrier_message_id
            parts = [event.tenant_id, about, event.carrier_event, output.number(event.recipient, show=show)]
        case CarrierInboundEvent():
            parties = _parties(event.sender, event.did, show=show)
            parts = [event.tenant_id, event.carrier_message_id, parties, _text(event.text, show=show)]
        case ConfigChanged():
            parts = [event.tenant_id, f"{event.kind} {event.object_id} {event.change}"]
    return parts


def _parties(sender: str, did: str, *, show: bool) -> str:
    return f"{output.number(sender, show=show)} to {output.number(did, show=show)}"


def _of_status(event: StatusEvent, *, show: bool) -> Iterable[str]:
    to = event.to if isinstance(event.to, str) else ", ".join(event.to or ())
    error = event.error
    carrier = f"carrier code {error.carrier_code}" if error and error.carrier_code else ""
    return [
        f"to {', '.join(output.number(one.strip(), show=show) for one in to.split(','))}" if to else "",
        output.counted(event.segments, "segment") if event.segments else "",
        error.code if error else "",
        carrier,
        event.reason or "",
        (error.advice or "") if error else "",
    ]


def _text(text: str, *, show: bool) -> str:
    return f'"{text}"' if show else output.counted(len(text), "character")
