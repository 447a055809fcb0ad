"""Reads Bandwidth's answer to a send: an acceptance or a failure. Pure. The table is in `accepted`.

Statuses and bodies: Bandwidth's OpenAPI description and https://dev.bandwidth.com/docs/messaging/errors. It says that
nothing is sent and nothing billed after a 4xx or 5xx.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import orjson

from sms_common.carriers.carrier_text import shown
from sms_common.carriers.exchange import Answer
from sms_common.errors import (
    Code,
    Misconfigured,
    OutcomeUnknown,
    PermanentFailure,
    SendFailure,
    TemporaryFailure,
    Throttled,
)
from sms_common.messages import Accepted

# Bandwidth's longest queue takes four hours. A longer wait must be a mistake, and would stop the lane for too long.
MAX_RETRY_AFTER = 4 * 3600.0
_MAX_CARRIER_CODE = 64
_SEGMENTS = range(1, 2**31)  # fits into a 32-bit number of any reader

# The server did not read the request, so nothing was sent, whoever answered.
_NOT_TAKEN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
# A 4xx about the account, its application or the sender: another route may be tried. A field that is not listed here,
# and a refusal that names no field, may be about the recipient or the text.
_ABOUT_THE_ACCOUNT = frozenset({HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
_FIELDS_OF_THE_SENDER = frozenset({"from", "applicationId"})
# Statuses of the proxies in front of Bandwidth, which do not know whether the request was processed.
_FROM_A_PROXY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})


def accepted(answer: Answer, private: Iterable[str], now: datetime) -> Accepted:
    """Return the acceptance in an answer, or raise the failure it stands for.

    2xx with an id: Accepted. 2xx without a readable id: OutcomeUnknown, with `taken` after a 202.
    401, 403: Misconfigured. 429: Throttled. 408, 425: TemporaryFailure. Other 4xx: PermanentFailure, which says whether
    another route may be tried.
    5xx with Bandwidth's own error body, except 502 and 504: TemporaryFailure.
    Everything else: OutcomeUnknown. This includes redirects, which are not documented and not followed.

    `private` strings (numbers, the text) are removed from a failure's sentences.
    """
    status, document = answer.status, json_object(answer.body)
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise _failure(answer, document, private, now)
    identifier = document.get("id")
    if not isinstance(identifier, str) or not identifier:
        reason = f"Bandwidth answered HTTP {status} without a readable message id; a receipt will tell."
        taken = status == HTTPStatus.ACCEPTED  # another 2xx may come from a proxy
        raise OutcomeUnknown(Code.OUTCOME_UNKNOWN, reason, carrier_code=str(status), taken=taken)
    segments = document.get("segmentCount")
    usable = isinstance(segments, int) and not isinstance(segments, bool) and segments in _SEGMENTS
    return Accepted(identifier, segments if usable else None)


def _failure(answer: Answer, document: dict[str, Any], private: Iterable[str], now: datetime) -> SendFailure:
    status = answer.status
    words = _words(document, private)
    reason = f"Bandwidth answered HTTP {status}" + (f": {words}" if words else ".")
    carrier: dict[str, Any] = {"carrier_code": _carrier_code(document) or str(status), "carrier_text": words}
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Misconfigured(Code.CREDENTIALS_REFUSED, reason, **carrier)
    wait = retry_after(answer.headers, now)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(Code.CARRIER_BUSY, reason, retry_after=wait, **carrier)
    if status in _NOT_TAKEN or (
        status >= HTTPStatus.INTERNAL_SERVER_ERROR and _is_bandwidths_refusal(status, document)
    ):
        return TemporaryFailure(Code.CARRIER_ERROR, reason, retry_after=wait, **carrier)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        about_us = status in _ABOUT_THE_ACCOUNT or _is_about_the_sender(document)
        return PermanentFailure(Code.CARRIER_REFUSED, reason, try_next_route=about_us, **carrier)
    return OutcomeUnknown(Code.OUTCOME_UNKNOWN, f"{reason} It may or may not have been sent.", **carrier)


def _is_bandwidths_refusal(status: int, document: dict[str, Any]) -> bool:
    """Whether a 5xx comes from Bandwidth's application: it has its error object, or that of its framework."""
    own = isinstance(document.get("type"), str) and isinstance(document.get("description"), str)
    framework = document.get("status") == status and isinstance(document.get("error"), str)
    return status not in _FROM_A_PROXY and (own or framework)


def _is_about_the_sender(document: dict[str, Any]) -> bool:
    """Whether a refusal names fields, and only fields of the sender."""
    named = {str(error.get("fieldName")) for error in _field_errors(document)}
    return bool(named) and named <= _FIELDS_OF_THE_SENDER


def _field_errors(document: dict[str, Any]) -> list[dict[str, Any]]:
    errors = document.get("fieldErrors")
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _words(document: dict[str, Any], private: Iterable[str]) -> str | None:
    """Join Bandwidth's description (or message) and its field errors into one line that is safe to show."""
    parts = [document.get("description") or document.get("message") or document.get("error")]
    parts.extend(f"{error.get('fieldName')}: {error.get('description')}" for error in _field_errors(document))
    return shown("; ".join(part.rstrip(".") for part in parts if isinstance(part, str)), private=private)


def _carrier_code(document: dict[str, Any]) -> str | None:
    kind = document.get("type")
    return (
        kind[:_MAX_CARRIER_CODE] if isinstance(kind, str) and kind.isascii() and kind.isprintable() and kind else None
    )


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body, or an empty one for anything else."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read the Retry-After header (RFC 9110, 10.2.3) as seconds, MAX_RETRY_AFTER at most; None without a usable one."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:10])
    else:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
