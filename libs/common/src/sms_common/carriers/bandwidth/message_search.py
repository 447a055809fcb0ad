"""Searches Bandwidth's list of messages for one whose answer was lost. Pure.

The list (https://dev.bandwidth.com/apis/messaging-apis/messaging, listMessages) goes back 14 days and does not contain
our tag. So a message is recognised by its parties, time, type, length and segments.
"""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import orjson

from sms_common.carriers.exchange import Answer
from sms_common.carriers.protocol import Window
from sms_common.errors import Code, Misconfigured, TemporaryFailure, Throttled
from sms_common.messages import OutboundMessage
from sms_common.segments import count_segments

# Several that look alike cannot be told apart anyway, so more are not needed.
_MOST = 50


def query(message: OutboundMessage, window: Window) -> str:
    """Return the query string for messages to the first recipient. Bandwidth requires milliseconds in times."""
    return urlencode(
        {
            "sourceTn": message.sender,
            "destinationTn": message.recipients[0],
            "messageDirection": "OUTBOUND",
            "fromDateTime": window.since.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "toDateTime": window.until.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "limit": str(_MOST),
        }
    )


def alike(answer: Answer, message: OutboundMessage) -> list[str]:
    """Return the ids of listed messages that look like `message`. Raises TemporaryFailure for any other answer."""
    match answer.status:
        case HTTPStatus.OK:
            return sorted({str(item["messageId"]) for item in _listed(answer.body) if _is_like(item, message)})
        case HTTPStatus.TOO_MANY_REQUESTS:
            raise Throttled(Code.CARRIER_BUSY, "Bandwidth's list of messages was asked too often.")
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            raise Misconfigured(Code.CREDENTIALS_REFUSED, "Bandwidth does not show its list of messages.")
    raise TemporaryFailure(Code.CARRIER_ERROR, f"Bandwidth's list of messages answered HTTP {answer.status}.")


def _listed(body: bytes) -> list[dict[str, Any]]:
    try:
        listed = orjson.loads(body)["messages"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        listed = None
    if not isinstance(listed, list):
        raise TemporaryFailure(Code.CARRIER_ERROR, "Bandwidth's list of messages cannot be read.")
    return [item for item in listed if isinstance(item, dict) and item.get("messageId")]


def _is_like(item: dict[str, Any], message: OutboundMessage) -> bool:
    mms = bool(message.media_urls) or len(message.recipients) > 1
    if item.get("messageType") != ("mms" if mms else "sms") or item.get("messageLength") != len(message.text or ""):
        return False
    if mms:
        return item.get("recipientCount") in {None, len(message.recipients)}
    return item.get("segmentCount") in {None, count_segments(message.text or "", mms=False).segments}
