"""GET messages: filters, order and pages of the remembered messages, and the rate limit of this call."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from carrier_simulator.bandwidth.requests.messages import is_e164, is_short_code, is_toll_free
from carrier_simulator.bandwidth.requests.refusals import BadField, invalid_request, rate_limited
from carrier_simulator.carrier.accounts import Application
from carrier_simulator.carrier.clock import Clock, iso_time
from carrier_simulator.carrier.records import ArrivedMessage, HandsetMessage, Records

__all__ = ["ListRateLimit", "list_messages"]

Item = dict[str, Any]
Filter = Callable[[Item, str], bool]

WINDOW = 14 * 86400  # seconds; older messages are not found
MAX_REACH = 10_000  # limit plus offset
DEFAULT_LIMIT = 100
MAX_NUMBERS = 10
MIN_PARTIAL = 5
RATE_PERIOD = 300.0  # seconds of the rate limit
_HEADERS_SIZE = 16  # messageSize less messageLength in Bandwidth's example

_MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


class ListRateLimit:
    """Counts calls of one source address in periods of five minutes."""

    def __init__(self, clock: Clock, limit: int) -> None:
        self._clock = clock
        self._limit = limit
        self._since = 0.0
        self._calls: dict[str, int] = {}

    def count(self, source: str) -> None:
        """Count one call; raises Refusal (429 with Retry-After) above the limit."""
        now = self._clock.time()
        if now - self._since >= RATE_PERIOD:
            self._since = now
            self._calls.clear()
        self._calls[source] = self._calls.get(source, 0) + 1
        if self._calls[source] > self._limit:
            raise rate_limited(max(1, round(self._since + RATE_PERIOD - now)))

    def clear(self) -> None:
        """Start a new period."""
        self._since = 0.0


def list_messages(records: Records, account_id: str, query: Mapping[str, str], now: float, url: str) -> Item:
    """Return one page of messages; `url` is what the links to the other pages begin with.

    Raises Refusal (400) without a filter and for a parameter that cannot be read.
    """
    tests = [(name, value) for name, value in query.items() if name in _FILTERS]
    if not tests:
        raise invalid_request([BadField("query", "at least one query parameter must be given")])
    for name, value in tests:
        _check(name, value)
    found = [
        item for item in _items(records, account_id, now) if all(_FILTERS[name](item, value) for name, value in tests)
    ]
    _sort(found, query.get("sort", "receiveTime:desc"))
    limit = _whole_number("limit", query.get("limit", str(DEFAULT_LIMIT)), 1, MAX_REACH)
    offset = _offset(query.get("pageToken"))
    if limit + offset > MAX_REACH:
        raise _bad("limit", f"limit and offset must not exceed {MAX_REACH} together")
    capped = query.get("limitTotalCount") == "true"
    return {
        "totalCount": min(len(found), MAX_REACH) if capped else len(found),
        "pageInfo": _page_info(query, url, offset, limit, len(found)),
        "messages": found[offset : offset + limit],
    }


def _items(records: Records, account_id: str, now: float) -> Iterator[Item]:
    oldest = now - WINDOW
    for arrival in records.arrivals:
        if arrival.account_id == account_id and arrival.time >= oldest:
            yield from _outbound(arrival)
    for message in records.inbound:
        if message.account_id == account_id and message.time >= oldest:
            yield _inbound(message)


def _outbound(arrival: ArrivedMessage) -> Iterable[Item]:
    length = len(arrival.text or "")
    several = arrival.kind == "mms"
    for recipient in arrival.recipients:
        yield {
            "messageId": arrival.id,
            "accountId": arrival.account_id,
            "sourceTn": arrival.sender,
            "destinationTn": recipient.number,
            "messageStatus": recipient.status,
            "messageDirection": "OUTBOUND",
            "messageType": arrival.kind,
            "segmentCount": arrival.segments,
            "errorCode": recipient.error_code,
            "receiveTime": iso_time(arrival.time, 3),
            "carrierName": recipient.outcome.carrier_name or "other",
            "messageSize": None if several else length + _HEADERS_SIZE,
            "messageLength": length,
            "attachmentCount": len(arrival.media) if several else None,
            "recipientCount": len(arrival.recipients) if several else None,
            **_setting(arrival.application, arrival.sender, recipient.number, arrival.sender),
        }


def _inbound(message: HandsetMessage) -> Item:
    several = message.kind == "mms"
    return {
        "messageId": message.id,
        "accountId": message.account_id,
        "sourceTn": message.sender,
        "destinationTn": message.owner,
        "messageStatus": "RECEIVED",
        "messageDirection": "INBOUND",
        "messageType": message.kind,
        "segmentCount": message.segments,
        "errorCode": 0,
        "receiveTime": iso_time(message.time, 3),
        "carrierName": "other",
        "messageSize": None if several else message.text_length + _HEADERS_SIZE,
        "messageLength": message.text_length,
        "attachmentCount": message.attachments if several else None,
        "recipientCount": message.members if several else None,
        **_setting(message.application, message.sender, message.owner, message.owner),
    }


def _setting(application: Application, source: str, destination: str, own_number: str) -> Item:
    product = _product(application, own_number)
    campaign = application if product == "LOCAL_A2P" else None
    return {
        "campaignClass": campaign and campaign.campaign_class,
        "campaignId": campaign and campaign.campaign_id,
        "callingNumberCountryA3": _country(source),
        "calledNumberCountryA3": _country(destination),
        "product": product,
        "location": application.location,
    }


def _product(application: Application, own_number: str) -> str:
    if is_toll_free(own_number):
        return "TOLL_FREE"
    if is_e164(own_number):
        return "LOCAL_A2P" if application.campaign_id else "P2P"
    return "SHORT_CODE_REACH" if is_short_code(own_number) else "ALPHA_NUMERIC"


def _country(number: str) -> str | None:
    return "USA" if number.startswith("+1") else None


def _equals(field: str) -> Filter:
    return lambda item, value: str(item[field]) == value


def _number(field: str) -> Filter:
    def matches(item: Item, value: str) -> bool:
        wanted = value.split(",")
        return item[field] in wanted or (len(wanted) == 1 and len(value) >= MIN_PARTIAL and value in item[field])

    return matches


def _least(field: str) -> Filter:
    return lambda item, value: item[field] is not None and item[field] >= int(value)


def _most(field: str) -> Filter:
    return lambda item, value: item[field] is not None and item[field] <= int(value)


# Latency and queueing at the carrier need an account feature (Advanced Quality Metrics) that no account has here.
_FILTERS: dict[str, Filter] = {
    **{
        name: _equals(name)
        for name in (
            "messageId",
            "messageStatus",
            "messageDirection",
            "carrierName",
            "messageType",
            "errorCode",
            "campaignId",
            "product",
            "location",
            "callingNumberCountryA3",
            "calledNumberCountryA3",
        )
    },
    "sourceTn": _number("sourceTn"),
    "destinationTn": _number("destinationTn"),
    "fromDateTime": lambda item, value: item["receiveTime"] >= value,
    "toDateTime": lambda item, value: item["receiveTime"] <= value,
    "fromSegmentCount": _least("segmentCount"),
    "toSegmentCount": _most("segmentCount"),
    "fromMessageSize": _least("messageSize"),
    "toMessageSize": _most("messageSize"),
    "bwQueued": lambda item, value: (item["messageStatus"] == "QUEUED") == (value == "true"),
}

_ENUMS = {
    "messageStatus": {"RECEIVED", "QUEUED", "SENDING", "SENT", "FAILED", "DELIVERED", "ACCEPTED", "UNDELIVERED"},
    "messageDirection": {"INBOUND", "OUTBOUND"},
    "messageType": {"sms", "mms", "rcs"},
    "bwQueued": {"true", "false"},
}
_WHOLE = {"errorCode", "fromSegmentCount", "toSegmentCount", "fromMessageSize", "toMessageSize"}


def _check(name: str, value: str) -> None:
    if name in _ENUMS and value not in _ENUMS[name]:
        raise _bad(name, f"'{value}' must be replaced with one of {sorted(_ENUMS[name])}")
    if name in _WHOLE:
        _whole_number(name, value, 0, 99_999)
    if name in ("fromDateTime", "toDateTime") and not _is_time(value):
        raise _bad(name, f"'{value}' must be replaced with a date-time with milliseconds")
    if name in ("sourceTn", "destinationTn") and len(value.split(",")) > MAX_NUMBERS:
        raise _bad(name, f"'{name}' must have {MAX_NUMBERS} numbers or less")


def _is_time(value: str) -> bool:
    if not _MILLISECONDS.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _bad(name: str, description: str) -> Exception:
    return invalid_request([BadField(name, description)])


def _whole_number(name: str, value: str, least: int, most: int) -> int:
    if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
        raise _bad(name, f"'{value}' must be replaced with a whole number from {least} to {most}")
    return int(value)


def _sort(items: list[Item], order: str) -> None:
    field, _, direction = order.partition(":")
    if direction not in ("asc", "desc") or field not in _SORTABLE:
        raise _bad("sort", f"'{order}' must be replaced with a field and asc or desc, joined by a colon")
    items.sort(key=lambda item: (item[field] is not None, item[field]), reverse=direction == "desc")


_SORTABLE = {"messageId", "sourceTn", "destinationTn", "messageStatus", "messageDirection", "messageType"} | {
    "segmentCount",
    "errorCode",
    "receiveTime",
    "carrierName",
    "messageSize",
    "messageLength",
    "product",
    "location",
}


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        offset = base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, ValueError) as error:
        raise _bad("pageToken", "'pageToken' must come from an earlier answer") from error
    return _whole_number("pageToken", offset, 0, MAX_REACH)


def _page_info(query: Mapping[str, str], url: str, offset: int, limit: int, total: int) -> Item:
    info: Item = {}
    places = {
        "prev": max(0, offset - limit) if offset > 0 else None,
        "next": offset + limit if offset + limit < total else None,
    }
    for name, place in places.items():
        if place is not None:
            token = base64.urlsafe_b64encode(str(place).encode()).decode()
            info[f"{name}Page"] = f"{url}?{urlencode({**query, 'pageToken': token})}"
            info[f"{name}PageToken"] = token
    return info
