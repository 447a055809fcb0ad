"""A request as a PBX writes it, and what is read of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from sms_common.errors import UnreadableEvent
from sms_common.events import OutboundRequest, decode

CASES = Path(__file__).parents[2] / "data" / "cases"
SMALLEST: dict[str, Any] = {
    "message_id": "m1",
    "tenant_id": "acme",
    "extension": "101",
    "to": "+13125550100",
    "text": "hi",
}
ASKED = "sms.outbound.v1"


def case(number: str) -> Any:
    (path,) = CASES.glob(f"{number}-*.json")
    return json.loads(path.read_text())


def written(**changes: Any) -> bytes:
    return json.dumps(SMALLEST | changes).encode()


def asked(body: bytes) -> OutboundRequest:
    event = decode(ASKED, body)
    assert isinstance(event, OutboundRequest)
    return event


def refused(body: bytes) -> UnreadableEvent:
    with pytest.raises(UnreadableEvent) as caught:
        decode(ASKED, body)
    return caught.value


def outcome(body: bytes) -> OutboundRequest | UnreadableEvent:
    try:
        return asked(body)
    except UnreadableEvent as error:
        return error
