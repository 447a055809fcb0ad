"""What ingress answers: how a request can end, and with which status and headers. Every answer has an empty body."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from aiohttp import web

from sms_common.carriers.protocol import KEPT_FOR
from sms_common.errors import Code

# A name without a version: what runs here is nobody's business, and the library would tell its own version otherwise.
_SERVER = {"Server": "sms-gateway"}


class WebhookOutcome(Enum):
    """How a request ended: its word in the log and the metrics, and its status.

    A carrier repeats whatever is not a 2xx, for a day. So 2xx means "kept", also for what nobody can use, since a
    repeat could not help; 503 means "please repeat"; and nothing is ever answered with a 3xx.
    """

    ACCEPTED = "accepted", 200
    # Kept as a dead letter: an event nobody here acts on, or a body nobody can read.
    NOT_HANDLED = "not_handled", 200
    UNREADABLE = "unreadable", 200
    # The gateway's own call to see what a carrier would meet; nothing is kept.
    TESTED = "tested", 200
    # The request broke off, or is no proper HTTP.
    BROKEN = "broken", 400
    # A challenge makes some carriers send their credentials; only a wrong answer to it is unauthorized.
    CHALLENGED = "challenged", 401
    UNAUTHORIZED = "unauthorized", 401
    NOT_FOUND = "not_found", 404
    UNKNOWN_WEBHOOK = Code.UNKNOWN_WEBHOOK.value, 404
    WRONG_METHOD = "wrong_method", 405
    TOO_SLOW = "too_slow", 408
    TOO_LARGE = "too_large", 413
    ENCODED = "encoded", 415
    UNKNOWN_EXPECTATION = "unknown_expectation", 417
    FAILED = "failed", 500
    NO_CONFIGURATION = "no_configuration", 503
    UNAVAILABLE = "unavailable", 503
    TIMED_OUT = "timed_out", 503
    BUSY = "busy", 503

    def __init__(self, word: str, status: int) -> None:
        self.word = word
        self.status = status


_RETRY_AFTER = {"Retry-After": "5"}

_HEADERS: Mapping[WebhookOutcome, Mapping[str, str]] = MappingProxyType(
    {
        WebhookOutcome.NOT_HANDLED: {KEPT_FOR: Code.WEBHOOK_NOT_HANDLED},
        WebhookOutcome.UNREADABLE: {KEPT_FOR: Code.WEBHOOK_UNREADABLE},
        WebhookOutcome.WRONG_METHOD: {"Allow": "POST"},
        WebhookOutcome.ENCODED: {"Accept-Encoding": "identity"},
        WebhookOutcome.NO_CONFIGURATION: _RETRY_AFTER,
        WebhookOutcome.UNAVAILABLE: _RETRY_AFTER,
        WebhookOutcome.TIMED_OUT: _RETRY_AFTER,
        WebhookOutcome.BUSY: _RETRY_AFTER,
    }
)

# What is left of the request cannot be told from the next one.
_CLOSING = frozenset({WebhookOutcome.BROKEN, WebhookOutcome.TOO_SLOW, WebhookOutcome.FAILED})


class WebhookRefused(Exception):  # it is an answer, not an error
    """Ends the handling of a request with an outcome other than acceptance; `headers` are added to the answer."""

    def __init__(self, outcome: WebhookOutcome, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(outcome.word)
        self.outcome = outcome
        self.headers = headers


def answer(outcome: WebhookOutcome, headers: Mapping[str, str] | None = None) -> web.Response:
    """The HTTP response of an outcome; `headers` are added to those it always has."""
    response = web.Response(status=outcome.status, headers=_SERVER)
    more = headers or _HEADERS.get(outcome)
    if more:
        response.headers.update(more)
    if outcome in _CLOSING:
        response.force_close()
    return response
