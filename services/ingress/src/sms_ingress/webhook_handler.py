"""The public door: `POST /webhooks/{carrier}/{token}` from the first header to the answer. It keeps no state."""

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
_MOST_REMARKS = 10

_OUTCOMES = {
    None: WebhookOutcome.ACCEPTED,
    Code.WEBHOOK_NOT_HANDLED: WebhookOutcome.NOT_HANDLED,
    Code.WEBHOOK_UNREADABLE: WebhookOutcome.UNREADABLE,
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WebhookLimits:
    """How much the door takes at a time, and how long (seconds) one request may last from its headers to its answer.

    The carrier gives up after 10 s; half of that leaves room for a proxy and a slow way back.
    """

    concurrent_requests: int = 500
    deadline: float = 5.0


@dataclass(slots=True)
class _RequestState:
    """What is known of one request so far; it ends as one line in the log."""

    received: bool = False
    at: datetime | None = None
    tested: bool = False
    endpoint: WebhookEndpoint | None = None
    reading: Reading | None = None


class WebhookHandler:
    """Answers webhooks: `handle` takes a request and gives its response.

    `snapshot` gives the configuration at hand; `clock` is the wall clock and `timer` measures durations in seconds.
    `seen` is told of every webhook of a known configuration.
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
        seen: WebhookActivity | None = None,
    ) -> None:
        self._publisher = publisher
        self._snapshot = snapshot
        self._carriers = carriers
        self._limits = limits or WebhookLimits()
        self._clock = clock
        self._timer = timer
        self._seen = seen
        self._in_hand = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. Nothing that a client sends makes it raise."""
        match _words(request.path):
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
        visit = _RequestState()
        headers: Mapping[str, str] | None = None
        try:
            outcome = await self._bounded(request, carrier, token, visit)
        except WebhookRefused as refused:
            outcome, headers = refused.outcome, refused.headers
        except Unavailable:
            outcome = WebhookOutcome.UNAVAILABLE
        except TimeoutError:
            outcome = WebhookOutcome.TIMED_OUT if visit.received else WebhookOutcome.TOO_SLOW
        except Exception as error:  # noqa: BLE001  # see below
            # A bug of ours: the carrier repeats, and the log says where, not in words that may quote the webhook.
            _log.error("webhook.failed", error=type(error).__name__, where=code_places(error))
            outcome = WebhookOutcome.FAILED
        _record(outcome, visit, self._timer() - started)
        self._note(outcome, visit, request)
        response = answer(outcome, headers)
        if visit.tested:
            response.headers[RESULT_HEADER] = _tested(outcome, request)
        return response

    def _note(self, outcome: WebhookOutcome, visit: _RequestState, request: web.BaseRequest) -> None:
        """Let people see that it came, whatever was answered, unless the gateway called itself."""
        if self._seen is None or visit.endpoint is None or visit.at is None or visit.tested:
            return
        kinds = visit.reading.kinds if visit.reading else None
        source = self._seen.source_of(request.remote, request.headers)
        self._seen.note(visit.endpoint, outcome, visit.at, kinds[-1] if kinds else None, source)

    async def _bounded(
        self, request: web.BaseRequest, carrier: str, token: str, visit: _RequestState
    ) -> WebhookOutcome:
        if self._in_hand >= self._limits.concurrent_requests:
            raise WebhookRefused(WebhookOutcome.BUSY)
        self._in_hand += 1
        try:
            async with asyncio.timeout(self._limits.deadline):
                return await self._receive(request, carrier, token, visit)
        finally:
            self._in_hand -= 1

    async def _receive(
        self, request: web.BaseRequest, carrier_name: str, token: str, visit: _RequestState
    ) -> WebhookOutcome:
        """Take one webhook. What costs least is checked first: a body is read for a known token only."""
        _check_headers(request)
        snapshot = self._snapshot()
        if snapshot is None:
            raise WebhookRefused(WebhookOutcome.NO_CONFIGURATION)
        now = self._clock()
        endpoint = snapshot.endpoint(carrier_name, token, now)
        carrier = self._carriers.get(carrier_name)
        if endpoint is None or carrier is None:
            raise WebhookRefused(WebhookOutcome.UNKNOWN_WEBHOOK)
        visit.endpoint, visit.at = endpoint, now
        # Read before the credentials are looked at: a challenged client sends its next request on the same connection.
        body = await read_body(request, MAX_BODY_BYTES)
        visit.received = True
        visit.tested = body == TEST_BODY
        _authenticate(carrier, WebhookRequest(request.headers, body), endpoint)
        if visit.tested:
            return WebhookOutcome.TESTED
        body = in_utf8(body, request.headers.get("Content-Type"))
        visit.reading = reading = read(carrier, body, endpoint, now)
        await self._publish(reading.messages)
        return _OUTCOMES[reading.kept_for]

    async def _publish(self, messages: Sequence[Outgoing]) -> None:
        """Return once the broker has confirmed all. Raises Unavailable; some may have landed all the same, and have the
        same ids when the carrier repeats them.
        """
        if len(messages) == 1:
            await self._publisher.publish(messages[0])
            return
        results = await asyncio.gather(*map(self._publisher.publish, messages), return_exceptions=True)
        for result in results:
            if result is not None:
                raise result


def _words(path: str) -> list[str]:
    """The words between the slashes. Who pastes an address, or a proxy, adds slashes and blanks; no token holds any."""
    return [word for part in path.split("/") if (word := trimmed(part))]


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


def _tested(outcome: WebhookOutcome, request: web.BaseRequest) -> str:
    """What the gateway's own call is told: a proxy that puts a token of its own in the place of credentials shows."""
    scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
    return OTHER_SCHEME if outcome is WebhookOutcome.UNAUTHORIZED and scheme != "basic" else outcome.word


def _record(outcome: WebhookOutcome, visit: _RequestState, seconds: float) -> None:
    """Count the webhook and leave one line in the log, with neither token nor number nor text."""
    endpoint, reading = visit.endpoint, visit.reading
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
        _log.warning("webhook.partly_used", config_id=endpoint.config_id, remarks=list(reading.remarks[:_MOST_REMARKS]))
