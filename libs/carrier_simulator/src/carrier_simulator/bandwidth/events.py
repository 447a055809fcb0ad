"""The bodies of webhooks, field by field as Bandwidth writes them (webhook guide, OpenAPI description)."""

from typing import Any

from carrier_simulator.carrier.clock import iso_time
from carrier_simulator.carrier.outcomes import MessageOutcome
from carrier_simulator.carrier.records import ArrivedMessage, HandsetMessage, MessageRecipient

__all__ = ["accepted_message", "inbound_event", "status_event"]

_DESCRIPTIONS = {
    "message-sending": "Message is sending to carrier.",
    "message-sent": "Message sent to carrier",
    "message-delivered": "Message delivered to handset.",
    "message-read": "Message read by recipient.",
}


def accepted_message(arrival: ArrivedMessage) -> dict[str, Any]:
    """Return the 202 answer to a message request."""
    body: dict[str, Any] = {
        "id": arrival.id,
        "owner": arrival.sender,
        "applicationId": arrival.application.application_id,
        "time": iso_time(arrival.time),
        "segmentCount": arrival.segments,
        "direction": "out",
        "to": arrival.to,
        "from": arrival.sender,
    }
    if arrival.text is not None:
        body["text"] = arrival.text
    if arrival.tag is not None:
        body["tag"] = arrival.tag
    body["priority"] = arrival.priority
    if arrival.media:
        body["media"] = arrival.media
    if arrival.expiration is not None:
        body["expiration"] = arrival.expiration
    return body


def status_event(
    kind: str,
    arrival: ArrivedMessage,
    recipient: MessageRecipient,
    now: float,
    *,
    error_code: int | None = None,
    text: str | None = None,
) -> dict[str, Any]:
    """Return one status event about one recipient; `text` replaces the usual description."""
    outcome = recipient.outcome
    event: dict[str, Any] = {
        "time": iso_time(now, outcome.time_digits),
        "type": kind,
        "to": recipient.number,
        "description": text or _DESCRIPTIONS.get(kind, kind),
        "message": _status_message(kind, arrival, recipient),
    }
    if kind == "message-read":
        event["eventTime"] = event["time"]
    if error_code is not None:
        event["errorCode"] = error_code
    if outcome.carrier_name is not None:
        event["carrierName"] = outcome.carrier_name
    return event


def _status_message(kind: str, arrival: ArrivedMessage, recipient: MessageRecipient) -> dict[str, Any]:
    outcome = recipient.outcome
    to_recipient = kind == "message-delivered" and arrival.application.delivered_owner == "recipient"
    message: dict[str, Any] = {
        "id": arrival.id,
        "owner": recipient.number if to_recipient else arrival.sender,
        "applicationId": arrival.application.application_id,
        "time": iso_time(arrival.time, outcome.time_digits),
        "segmentCount": arrival.segments,
        "direction": "out",
        "to": arrival.to,
        "from": arrival.sender,
    }
    if arrival.channel is None:
        message["text"] = ""
        if arrival.media:
            message["media"] = arrival.media
    tag = _tag(arrival.tag, outcome)
    if tag is not None:
        message["tag"] = tag
    if arrival.channel is None:
        message["priority"] = arrival.priority
    else:
        message["channel"] = arrival.channel
    return message


def _tag(tag: str | None, outcome: MessageOutcome) -> str | None:
    if outcome.tag == "echo":
        return tag
    return "" if outcome.tag == "empty" else None


def inbound_event(
    message: HandsetMessage, to: list[str], content: dict[str, Any], now: float, digits: int = 6
) -> dict[str, Any]:
    """Return the message-received event for one own number; `content` holds text, media and the like."""
    return {
        "time": iso_time(now, digits),
        "type": "message-received",
        "to": message.owner,
        "description": "Incoming message received",
        "message": {
            "id": message.id,
            "owner": message.owner,
            "applicationId": message.application.application_id,
            "time": iso_time(message.time, digits),
            "segmentCount": message.segments,
            "direction": "in",
            "to": to,
            "from": message.sender,
            **content,
        },
    }
