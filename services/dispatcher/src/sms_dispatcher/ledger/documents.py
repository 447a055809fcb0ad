"""How an entry is stored in MongoDB: conversion in both directions. Pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sms_common.events import Route as Destination
from sms_common.events import StatusError
from sms_common.messages import MsgType, Status
from sms_dispatcher.ledger.entries import Echo, EntryKind, LedgerEntry, Recipient, Routed, SendRoute

Document = dict[str, Any]

SCHEMA_VERSION = 1


def to_document(entry: LedgerEntry, retention: timedelta) -> Document:
    """The whole document of a new entry. MongoDB deletes it `retention` after the time at which it was to be sent."""
    echo = entry.echo
    return {
        "_id": entry.id,
        "schema": SCHEMA_VERSION,
        "tenant_id": entry.tenant_id,
        "message_id": entry.message_id,
        "parent_id": entry.parent_id,
        "kind": entry.kind.value,
        "direction": "IN" if entry.kind is EntryKind.INBOUND else "OUT",
        "fingerprint": entry.fingerprint,
        "config_id": entry.config_id,
        "carrier": entry.carrier,
        "sender": entry.sender,
        "to": list(entry.to),
        "numbers": _numbers(entry),
        "text": entry.text,
        "media": list(entry.media),
        "bulk": entry.bulk,
        "msg_type": entry.msg_type.value,
        "encoding": entry.encoding,
        "high_priority": entry.high_priority,
        "send_after": entry.send_after,
        "expires_at": entry.expires_at,
        "created_at": entry.created_at,
        "delete_at": (entry.send_after or entry.created_at) + retention,
        "echo": [echo.extension, echo.conversation_id, echo.client_ref, _metadata_out(echo.metadata)],
        "attempt": entry.attempt,
        "claim_id": entry.claim_id,
        "history": [history_item(entry, None)],
        **_arrival(entry),
        **_routing(entry),
        **changing_fields(entry),
    }


def _arrival(entry: LedgerEntry) -> Document:
    """The fields that only an inbound text has: its DID, which identifies conversations, and where it was routed to."""
    if entry.kind is not EntryKind.INBOUND:
        return {}
    return {"did": entry.to[0], "destination": entry.destination.model_dump() if entry.destination else None}


def _routing(entry: LedgerEntry) -> Document:
    """The fields that only a message has on which rules decided."""
    if not (entry.rule_id or entry.dialled or entry.next_routes or entry.moves):
        return {}
    following = [_route_out(route) for route in entry.next_routes]
    return {"routing": [entry.rule_id, list(entry.dialled), following, entry.moves]}


def _present_route(entry: LedgerEntry) -> Document:
    """The fields that change with the route."""
    return {
        "config_id": entry.config_id,
        "carrier": entry.carrier,
        "sender": entry.sender,
        "numbers": _numbers(entry),
        **_routing(entry),
    }


def _numbers(entry: LedgerEntry) -> list[str]:
    return [number for number in (entry.sender, *entry.to) if number]


def claim_fields(entry: LedgerEntry) -> Document:
    """The fields of a claimed entry that differ from those of the accepted one."""
    return {
        "status": entry.status.value,
        "claim_id": entry.claim_id,
        "attempt": entry.attempt,
        "sequence": entry.sequence,
        "due_at": entry.due_at,
    }


def changing_fields(entry: LedgerEntry) -> Document:
    """The fields that a change of an entry may write, besides those of its claim."""
    return {
        "status": entry.status.value,
        "sequence": entry.sequence,
        "status_sequence": entry.status_sequence,
        "reason": entry.reason,
        "error": _error_out(entry.error),
        "provider_msg_id": entry.provider_msg_id,
        "segments": entry.segments,
        "possible_duplicate": entry.possible_duplicate,
        "occurred_at": entry.occurred_at,
        "updated_at": entry.updated_at,
        "due_at": entry.due_at,
        "recipients": [_recipient_out(recipient) for recipient in entry.recipients],
        **(_present_route(entry) if entry.moves else {}),
    }


def _recipient_out(recipient: Recipient) -> list[Any]:
    """A list and not a document, since there may be a thousand. The decision for this recipient comes last, if any."""
    error = _error_out(recipient.error)
    stored = [recipient.to, recipient.message_id, recipient.status.value, recipient.sequence, error, recipient.reason]
    routed = recipient.routed
    if routed is None:
        return stored
    return [*stored, [[_route_out(route) for route in routed.routes], routed.rule_id, routed.send_after]]


def _recipient_in(item: list[Any]) -> Recipient:
    to, message_id, status, sequence, error, reason, *more = item
    routed = None
    if more:
        routes, rule_id, send_after = more[0]
        routed = Routed(tuple(_route_in(route) for route in routes), rule_id, send_after)
    return Recipient(to, message_id, Status(status), sequence, _error_in(error), reason, routed)


def _route_out(route: SendRoute) -> list[Any]:
    return [route.config_id, route.carrier, route.sender, list(route.dialled)]


def _route_in(item: list[Any]) -> SendRoute:
    config_id, carrier, sender, dialled = item
    return SendRoute(config_id, carrier, sender, tuple(dialled))


def history_item(entry: LedgerEntry, change_id: str | None) -> Document:
    """One line of a message's timeline. By `change_id` a writer finds out whether its change was recorded."""
    item: Document = {"status": entry.status.value, "at": entry.updated_at, "sequence": entry.sequence}
    if entry.error is not None:
        item["code"] = entry.error.code
        item["carrier_code"] = entry.error.carrier_code
    if entry.moves:
        item["config_id"] = entry.config_id
    if change_id is not None:
        item["change"] = change_id
    return item


def from_document(document: Mapping[str, Any]) -> LedgerEntry:
    """The entry of a document."""
    extension, conversation_id, client_ref, metadata = document["echo"]
    rule_id, dialled, following, moves = document.get("routing") or (None, (), (), 0)
    destination = document.get("destination")
    return LedgerEntry(
        tenant_id=document["tenant_id"],
        message_id=document["message_id"],
        kind=EntryKind(document["kind"]),
        status=Status(document["status"]),
        created_at=document["created_at"],
        updated_at=document["updated_at"],
        sequence=document["sequence"],
        status_sequence=document["status_sequence"],
        parent_id=document["parent_id"],
        fingerprint=document["fingerprint"],
        config_id=document["config_id"],
        carrier=document["carrier"],
        sender=document["sender"],
        to=tuple(document["to"]),
        text=document["text"],
        media=tuple(document["media"]),
        bulk=document["bulk"],
        msg_type=MsgType(document["msg_type"]),
        segments=document["segments"],
        encoding=document["encoding"],
        reason=document["reason"],
        error=_error_in(document["error"]),
        provider_msg_id=document["provider_msg_id"],
        attempt=document["attempt"],
        claim_id=document["claim_id"],
        possible_duplicate=document["possible_duplicate"],
        high_priority=document["high_priority"],
        send_after=document["send_after"],
        expires_at=document["expires_at"],
        occurred_at=document["occurred_at"],
        due_at=document["due_at"],
        recipients=tuple(_recipient_in(item) for item in document["recipients"]),
        echo=Echo(extension, conversation_id, client_ref, None if metadata is None else json.loads(metadata)),
        rule_id=rule_id,
        dialled=tuple(dialled),
        next_routes=tuple(_route_in(route) for route in following),
        moves=moves,
        destination=None if destination is None else Destination.model_validate(destination),
    )


def _metadata_out(metadata: Mapping[str, Any] | None) -> str | None:
    """A text, so that it is read as it was written, also with names that have a meaning in MongoDB."""
    return None if metadata is None else json.dumps(dict(metadata))


def _error_out(error: StatusError | None) -> Document | None:
    return None if error is None else error.model_dump(by_alias=True, exclude_none=True, mode="json")


def _error_in(document: Mapping[str, Any] | None) -> StatusError | None:
    return None if document is None else StatusError.model_validate(document)


def record(document: Mapping[str, Any]) -> Document:
    """A message as the read API shows it. The fields have PortSIP's names where PortSIP has them."""
    inbound = document["direction"] == "IN"
    status = Status(document["status"])
    to = list(document["to"])
    return {
        "id": document["message_id"],
        "tenant_id": document["tenant_id"],
        "parent_id": document["parent_id"],
        "config_id": document["config_id"],
        "sender": document["sender"],
        "receiver": to[0] if len(to) == 1 else ";".join(to),
        "recipients": to,
        "did": to[0] if inbound else document["sender"],
        "direction": document["direction"],
        "msg_type": document["msg_type"],
        "content": document["text"] or "",
        "media": list(document["media"]),
        "status": "received" if inbound else status.value,
        "final": inbound or status.final,
        "delivery": "RECV" if inbound else status.delivery,
        "reason": document["reason"],
        "error": document["error"],
        "provider_msg_id": document["provider_msg_id"],
        "segments": document["segments"],
        "attempt": document["attempt"],
        "extension": document["echo"][0],
        "conversation_id": document["echo"][1],
        "client_ref": document["echo"][2],
        "rule_id": _rule_id(document),
        "route": document.get("destination"),
        "time": _iso(document["created_at"]),
        "updated_at": _iso(document["updated_at"]),
        "history": [
            {name: _iso(value) if name == "at" else value for name, value in item.items() if name != "change"}
            for item in document["history"]
        ],
    }


def _rule_id(document: Mapping[str, Any]) -> str | None:
    """The rule that decided on an outbound or inbound message."""
    rule_id: str | None = (document.get("routing") or (None,))[0] or (document.get("destination") or {}).get("rule_id")
    return rule_id


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
