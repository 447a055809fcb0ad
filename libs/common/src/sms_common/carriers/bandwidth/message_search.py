"""Looking for a message whose answer was lost in Bandwidth's list of messages.

The list (https://dev.bandwidth.com/apis/messaging-apis/messaging, listMessages) goes back 14 days and does not show our
tag, so a message is known by its parties, its time, its type, its length and its segments. Pure.
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

# More than a few alike cannot be told apart anyway.
_MOST = 50


def query(message: OutboundMessage, window: Window) -> str:
    """The query string that finds what was sent to the first recipient; times need their milliseconds."""
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
    """The ids of those listed that look like `message`. Raises TemporaryFailure for an answer that is no list."""
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
