"""The answers of ingress: how a request can end, with its status and headers. Every answer has an empty body."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from aiohttp import web

from sms_common.carriers.protocol import KEPT_FOR
from sms_common.errors import Code

# Without a version. By default the library would send its own name and version.
_SERVER = {"Server": "sms-gateway"}


class WebhookOutcome(Enum):
    """How a request ended: its name in the log and the metrics, and its HTTP status.

    A carrier repeats everything that is not answered 2xx, for a day. So 2xx means "stored", also for what nobody can
    use, because a repeat would not help. 503 means "please repeat". Nothing is ever answered with a 3xx.
    """

    ACCEPTED = "accepted", 200
    # Stored as a dead letter: an event that nothing here handles, or a body that cannot be read.
    NOT_HANDLED = "not_handled", 200
    UNREADABLE = "unreadable", 200
    # The gateway's own webhook test; nothing is stored.
    TESTED = "tested", 200
    # The request broke off, or is no proper HTTP.
    BROKEN = "broken", 400
    # Some carriers send their credentials only after a challenge. Wrong credentials are UNAUTHORIZED.
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

# The rest of the request cannot be told apart from the next one, so the connection is closed.
_CLOSING = frozenset({WebhookOutcome.BROKEN, WebhookOutcome.TOO_SLOW, WebhookOutcome.FAILED})


class WebhookRefused(Exception):  # it is an answer, not an error
    """Ends the handling of a request with an outcome other than acceptance; `headers` are added to the answer."""

    def __init__(self, outcome: WebhookOutcome, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(outcome.word)
        self.outcome = outcome
        self.headers = headers


def answer(outcome: WebhookOutcome, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return the HTTP response of an outcome. `headers` are added to those it always has."""
    response = web.Response(status=outcome.status, headers=_SERVER)
    more = headers or _HEADERS.get(outcome)
    if more:
        response.headers.update(more)
    if outcome in _CLOSING:
        response.force_close()
    return response
