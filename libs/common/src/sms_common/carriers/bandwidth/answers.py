"""What Bandwidth's answer to a send means: an acceptance or one failure. Pure; the table is in classify().

Statuses and bodies: Bandwidth's OpenAPI description and https://dev.bandwidth.com/docs/messaging/errors, which says that
nothing is sent and nothing billed after a documented 4xx or 5xx.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NoReturn

import orjson

from sms_common.carriers.bandwidth.exchange import Answer
from sms_common.carriers.carrier_words import shown
from sms_common.errors import (
    Code,
    Misconfigured,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
    Throttled,
)
from sms_common.messages import Accepted

# Bandwidth's longest queue takes four hours; a longer wish is a mistake that would silence a lane.
MAX_RETRY_AFTER = 4 * 3600.0
_MAX_CARRIER_CODE = 64

# A server that did not take the request in: nothing was sent, whoever answered.
_NOT_TAKEN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
# Statuses of the gateways in front of Bandwidth, which cannot know what became of the request behind them.
_FROM_A_PROXY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})


def classify(answer: Answer, private: Iterable[str], now: datetime) -> Accepted:
    """The acceptance in an answer, or the failure it stands for, raised.

    `private` strings (numbers, the text) are kept out of what is told about the failure.

    2xx with an id: Accepted; without a readable one: OutcomeUnknown, since it was taken and only the receipt's tag can tell.
    401, 403: Misconfigured. 429: Throttled. 408, 425: TemporaryFailure. Other 4xx: PermanentFailure.
    5xx with Bandwidth's own error body, bar 502 and 504: TemporaryFailure.
    Everything else, redirects included (not followed, nowhere documented): OutcomeUnknown.
    """
    document = json_object(answer.body)
    if 200 <= answer.status <= 299:  # noqa: PLR2004 - the class of successful answers
        return _accepted(answer.status, document)
    _refuse(answer, document, private, now)


def _accepted(status: int, document: dict[str, Any]) -> Accepted:
    identifier = document.get("id")
    if not isinstance(identifier, str) or not identifier:
        reason = f"Bandwidth answered HTTP {status} without a readable message id; a receipt will tell."
        raise OutcomeUnknown(Code.OUTCOME_UNKNOWN, reason, carrier_code=str(status))
    segments = document.get("segmentCount")
    return Accepted(identifier, segments if isinstance(segments, int) else None)


def _refuse(answer: Answer, document: dict[str, Any], private: Iterable[str], now: datetime) -> NoReturn:
    status = answer.status
    words = _words(document, private)
    reason = f"Bandwidth answered HTTP {status}" + (f": {words}" if words else ".")
    carrier: dict[str, Any] = {"carrier_code": _carrier_code(document) or str(status), "carrier_text": words}
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise Misconfigured(Code.CREDENTIALS_REFUSED, reason, **carrier)
    wait = retry_after(answer.headers, now)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise Throttled(Code.CARRIER_BUSY, reason, retry_after=wait, **carrier)
    if status in _NOT_TAKEN or (
        status >= HTTPStatus.INTERNAL_SERVER_ERROR and _is_bandwidths_refusal(status, document)
    ):
        raise TemporaryFailure(Code.CARRIER_ERROR, reason, retry_after=wait, **carrier)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        raise PermanentFailure(Code.CARRIER_REFUSED, reason, **carrier)
    raise OutcomeUnknown(Code.OUTCOME_UNKNOWN, f"{reason} It may or may not have been sent.", **carrier)


def _is_bandwidths_refusal(status: int, document: dict[str, Any]) -> bool:
    """Whether a 5xx comes from Bandwidth's application itself: `type` and `description`, or its framework's error object."""
    own = isinstance(document.get("type"), str) and isinstance(document.get("description"), str)
    framework = document.get("status") == status and isinstance(document.get("error"), str)
    return status not in _FROM_A_PROXY and (own or framework)


def _words(document: dict[str, Any], private: Iterable[str]) -> str | None:
    """Bandwidth's explanation: description (or message), then each field error, as one line that is safe to show."""
    parts = [document.get("description") or document.get("message") or document.get("error")]
    errors = document.get("fieldErrors")
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict):
            parts.append(f"{error.get('fieldName')}: {error.get('description')}")
    return shown("; ".join(part.rstrip(".") for part in parts if isinstance(part, str)), private=private)


def _carrier_code(document: dict[str, Any]) -> str | None:
    kind = document.get("type")
    return (
        kind[:_MAX_CARRIER_CODE] if isinstance(kind, str) and kind.isascii() and kind.isprintable() and kind else None
    )


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body, or an empty one for anything else."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The Retry-After header (RFC 9110, 10.2.3) in seconds, between 0 and MAX_RETRY_AFTER; None without a readable one."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:10])
    else:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
