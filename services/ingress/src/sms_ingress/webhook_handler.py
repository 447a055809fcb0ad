"""Handles webhooks: `POST /webhooks/{carrier}/{token}`, from the first header to the answer. It keeps no state."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from aiohttp import web

from sms_common.broker import Outgoing, Publisher
from sms_common.carriers.protocol import OTHER_SCHEME, RESULT_HEADER, TEST_BODY, Carrier, WebhookRequest
from sms_common.carriers.webhook_json import in_utf8
from sms_common.configuration import IngressSnapshot, WebhookEndpoint
from sms_common.errors import Code, Unavailable, WebhookUnauthorized
from sms_common.events import utc_now
from sms_common.http.content_coding import is_coded
from sms_common.input.pasted import trimmed
from sms_common.telemetry import code_places
from sms_ingress import meters
from sms_ingress.answers import WebhookOutcome, WebhookRefused, answer
from sms_ingress.reading import UNKNOWN, Reading, read
from sms_ingress.server import read_body
from sms_ingress.webhook_activity import WebhookActivity

MAX_BODY_BYTES = 256 * 1024
_MAX_REMARKS = 10

_OUTCOMES = {
    None: WebhookOutcome.ACCEPTED,
    Code.WEBHOOK_NOT_HANDLED: WebhookOutcome.NOT_HANDLED,
    Code.WEBHOOK_UNREADABLE: WebhookOutcome.UNREADABLE,
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WebhookLimits:
    """How many requests are handled at a time, and how many seconds one may take from its headers to its answer.

    The carrier gives up after 10 s. Half of that leaves room for a proxy and a slow network.
    """

    concurrent_requests: int = 500
    deadline: float = 5.0


@dataclass(slots=True)
class _RequestState:
    """What is known of one request so far. At the end it becomes one line in the log."""

    received: bool = False
    at: datetime | None = None
    tested: bool = False
    endpoint: WebhookEndpoint | None = None
    reading: Reading | None = None


class WebhookHandler:
    """Answers webhooks: `handle` takes a request and returns its response.

    `snapshot` returns the present configuration. `clock` is the wall clock; `timer` measures durations in seconds.
    `activity` records every webhook of a known configuration.
    """

    def __init__(
        self,
        *,
        publisher: Publisher,
        snapshot: Callable[[], IngressSnapshot | None],
        carriers: Mapping[str, Carrier],
        limits: WebhookLimits | None = None,
        clock: Callable[[], datetime] = utc_now,
        timer: Callable[[], float] = time.perf_counter,
        activity: WebhookActivity | None = None,
    ) -> None:
        self._publisher = publisher
        self._snapshot = snapshot
        self._carriers = carriers
        self._limits = limits or WebhookLimits()
        self._clock = clock
        self._timer = timer
        self._activity = activity
        self._in_flight = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. Nothing that a client sends makes it raise."""
        match _segments(request.path):
            case [first, carrier, token] if first.lower() == "webhooks":
                if request.method == "POST":
                    return await self._webhook(request, carrier.lower(), token)
                outcome = WebhookOutcome.WRONG_METHOD
            case _:
                outcome = WebhookOutcome.NOT_FOUND
        meters.count_stray(outcome)
        return answer(outcome)

    async def _webhook(self, request: web.BaseRequest, carrier: str, token: str) -> web.StreamResponse:
        started = self._timer()
        state = _RequestState()
        headers: Mapping[str, str] | None = None
        try:
            outcome = await self._within_limits(request, carrier, token, state)
        except WebhookRefused as refused:
            outcome, headers = refused.outcome, refused.headers
        except Unavailable:
            outcome = WebhookOutcome.UNAVAILABLE
        except TimeoutError:
            outcome = WebhookOutcome.TIMED_OUT if state.received else WebhookOutcome.TOO_SLOW
        except Exception as error:  # noqa: BLE001  # see below
            # A bug of ours: the carrier repeats the webhook. The log says where, but not the text, which may quote it.
            _log.error("webhook.failed", error=type(error).__name__, where=code_places(error))
            outcome = WebhookOutcome.FAILED
        _record(outcome, state, self._timer() - started)
        self._record_activity(outcome, state, request)
        response = answer(outcome, headers)
        if state.tested:
            response.headers[RESULT_HEADER] = _test_result(outcome, request)
        return response

    def _record_activity(self, outcome: WebhookOutcome, state: _RequestState, request: web.BaseRequest) -> None:
        """Record that a webhook came, whatever was answered, unless it was the gateway's own test."""
        if self._activity is None or state.endpoint is None or state.at is None or state.tested:
            return
        kinds = state.reading.kinds if state.reading else None
        source = self._activity.source_of(request.remote, request.headers)
        self._activity.record(state.endpoint, outcome, state.at, kinds[-1] if kinds else None, source)

    async def _within_limits(
        self, request: web.BaseRequest, carrier: str, token: str, state: _RequestState
    ) -> WebhookOutcome:
        if self._in_flight >= self._limits.concurrent_requests:
            raise WebhookRefused(WebhookOutcome.BUSY)
        self._in_flight += 1
        try:
            async with asyncio.timeout(self._limits.deadline):
                return await self._receive(request, carrier, token, state)
        finally:
            self._in_flight -= 1

    async def _receive(
        self, request: web.BaseRequest, carrier_name: str, token: str, state: _RequestState
    ) -> WebhookOutcome:
        """Handle one webhook. The cheapest check comes first: a body is read only for a known token."""
        _check_headers(request)
        snapshot = self._snapshot()
        if snapshot is None:
            raise WebhookRefused(WebhookOutcome.NO_CONFIGURATION)
        now = self._clock()
        endpoint = snapshot.endpoint(carrier_name, token, now)
        carrier = self._carriers.get(carrier_name)
        if endpoint is None or carrier is None:
            raise WebhookRefused(WebhookOutcome.UNKNOWN_WEBHOOK)
        state.endpoint, state.at = endpoint, now
        # Read before the credentials are checked: a challenged client sends its next request on the same connection.
        body = await read_body(request, MAX_BODY_BYTES)
        state.received = True
        state.tested = body == TEST_BODY
        _authenticate(carrier, WebhookRequest(request.headers, body), endpoint)
        if state.tested:
            return WebhookOutcome.TESTED
        body = in_utf8(body, request.headers.get("Content-Type"))
        state.reading = reading = read(carrier, body, endpoint, now)
        await self._publish(reading.messages)
        return _OUTCOMES[reading.kept_for]

    async def _publish(self, messages: Sequence[Outgoing]) -> None:
        """Publish, and return once the broker has confirmed all. Raises Unavailable.

        Then some may have been published all the same. They have the same ids when the carrier repeats them.
        """
        if len(messages) == 1:
            await self._publisher.publish(messages[0])
            return
        results = await asyncio.gather(*map(self._publisher.publish, messages), return_exceptions=True)
        for result in results:
            if result is not None:
                raise result


def _segments(path: str) -> list[str]:
    """Return the path's segments. Pasting and proxies add slashes and blanks; no token contains any."""
    return [segment for part in path.split("/") if (segment := trimmed(part))]


def _check_headers(request: web.BaseRequest) -> None:
    if is_coded(request.headers.getall("Content-Encoding", ())):
        raise WebhookRefused(WebhookOutcome.ENCODED)
    length = request.content_length
    if length is not None and length > MAX_BODY_BYTES:
        raise WebhookRefused(WebhookOutcome.TOO_LARGE)


def _authenticate(carrier: Carrier, request: WebhookRequest, endpoint: WebhookEndpoint) -> None:
    try:
        carrier.authenticate(request, endpoint.callback)
    except WebhookUnauthorized:
        # Some carriers send their credentials only after a challenge, so a request without any is no attack.
        outcome = WebhookOutcome.UNAUTHORIZED if "Authorization" in request.headers else WebhookOutcome.CHALLENGED
        raise WebhookRefused(outcome, carrier.challenge()) from None


def _test_result(outcome: WebhookOutcome, request: web.BaseRequest) -> str:
    """Return the result for the gateway's own test. It shows when a proxy replaces the credentials by a token."""
    scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
    return OTHER_SCHEME if outcome is WebhookOutcome.UNAUTHORIZED and scheme != "basic" else outcome.word


def _record(outcome: WebhookOutcome, state: _RequestState, seconds: float) -> None:
    """Count the webhook and log it in one line, without token, number or text."""
    endpoint, reading = state.endpoint, state.reading
    carrier = endpoint.carrier if endpoint else UNKNOWN
    meters.count(carrier, outcome, reading, seconds)
    _log.info(
        "webhook.handled",
        carrier=carrier,
        config_id=endpoint.config_id if endpoint else UNKNOWN,
        result=outcome.word,
        events=len(reading.events) if reading else 0,
        duration_ms=round(seconds * 1000, 1),
    )
    if reading and reading.remarks and endpoint:
        _log.warning("webhook.partly_used", config_id=endpoint.config_id, remarks=list(reading.remarks[:_MAX_REMARKS]))
