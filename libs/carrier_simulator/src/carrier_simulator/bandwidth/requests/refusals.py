"""Bandwidth's error answers, in both of their shapes.

Most errors are `{type, description}`, a refused message may add `fieldErrors`; an unknown path answers in the style of
the Spring framework; multi-channel calls wrap their errors (messaging guide "errors", OpenAPI description).
"""

from dataclasses import dataclass
from typing import Any

import orjson

from carrier_simulator.carrier.clock import iso_time

__all__ = [
    "BadField",
    "Refusal",
    "access_denied",
    "authentication_failed",
    "html_page",
    "in_multichannel_shape",
    "internal_error",
    "invalid_request",
    "method_not_allowed",
    "not_acceptable",
    "not_found",
    "queue_full",
    "rate_limited",
    "too_large",
    "unknown_path",
    "unsupported_content_type",
]

_UNSUPPORTED = 415


@dataclass(frozen=True, slots=True)
class BadField:
    """One field of a request and what is wrong with it."""

    field: str
    description: str

    def as_json(self) -> dict[str, str]:
        """Return the item for `fieldErrors`."""
        return {"fieldName": self.field, "description": self.description}


class Refusal(Exception):
    """Raised to answer a request with `status` and `body` (encoded as JSON unless it is bytes)."""

    def __init__(
        self, status: int, body: Any, *, headers: dict[str, str] | None = None, content_type: str = "application/json"
    ) -> None:
        super().__init__(status)
        self.status = status
        self.document = body
        self.body = body if isinstance(body, bytes) else orjson.dumps(body)
        self.headers = headers or {}
        self.content_type = content_type


def _plain(status: int, kind: str, description: str, headers: dict[str, str] | None = None) -> Refusal:
    return Refusal(status, {"type": kind, "description": description}, headers=headers)


def invalid_request(errors: list[BadField] | None = None) -> Refusal:
    """Return the 400 of a request that breaks a rule, naming the fields when there are any to name."""
    body: dict[str, Any] = {"type": "request-validation", "description": "Your request could not be accepted"}
    if errors:
        body["fieldErrors"] = [error.as_json() for error in errors]
    return Refusal(400, body)


def authentication_failed() -> Refusal:
    """Return the 401 of a missing, wrong or expired credential."""
    return _plain(401, "unauthorized", "Authentication Failed")


def access_denied() -> Refusal:
    """Return the 403 of a credential that does not cover the account."""
    return _plain(403, "forbidden", "Access Denied")


def not_found() -> Refusal:
    """Return the 404 for an object that does not exist, on a path that does."""
    return _plain(404, "resource-not-found", "Resource not found.")


def method_not_allowed(method: str, allowed: str) -> Refusal:
    """Return the 405 of a known path with another method."""
    description = f"Method '{method}' not supported for this resource."
    return _plain(405, "method-not-allowed", description, {"Allow": allowed})


def not_acceptable() -> Refusal:
    """Return the 406 of a client that does not take JSON."""
    return _plain(406, "not-acceptable", "Could not find acceptable representation")


def too_large() -> Refusal:
    """Return the 413 of a body above the limit of the call."""
    return _plain(413, "payload-too-large", "The request body is too large")


def unsupported_content_type(content_type: str, instead: str = "application/json") -> Refusal:
    """Return the 415 of a body in the wrong format."""
    description = f"Content type '{content_type}' not supported. Please use '{instead}'"
    return _plain(415, "unsupported-content-type", description)


def queue_full(rate: float, depth: float, retry_after: str | None = None) -> Refusal:
    """Return the 429 of a full account queue of `rate` segments a second and `depth` seconds."""
    description = (
        "The SMS queue for your account is full and cannot accept more messages right now. "
        f"Your allowed rate is {rate * 60:g} messages per minute. "
        f"The capacity of this queue is {rate * depth:g} messages ({depth / 60:g} minutes). "
        "Reduce your message sending rate, or contact support to increase your allowed rate."
    )
    headers = None if retry_after is None else {"Retry-After": retry_after}
    return _plain(429, "max-message-queue-size-exceeded", description, headers)


def rate_limited(seconds: int) -> Refusal:
    """Return the 429 of the message list, which names the `seconds` to wait."""
    description = "Rate limit exceeded. Wait for Retry-After time before sending another request."
    return _plain(429, "rate_limit_exceeded", description, {"Retry-After": str(seconds)})


def internal_error(status: int = 500) -> Refusal:
    """Return a 5xx in Bandwidth's own shape."""
    return _plain(status, "internal-server-error", "Internal server error. No further information available")


def html_page(status: int = 502) -> Refusal:
    """Return an error page as a proxy in front of the API would."""
    page = f"<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>"
    return Refusal(status, page.encode(), content_type="text/html")


def unknown_path(path: str, now: float) -> Refusal:
    """Return the 404 for a path that does not exist; no other error has this shape."""
    body = {
        "timestamp": iso_time(now, 3)[:-1] + "+0000",
        "status": 404,
        "error": "Not Found",
        "message": "Not Found",
        "path": path,
    }
    return Refusal(404, body)


def in_multichannel_shape(refusal: Refusal) -> Refusal:
    """Return `refusal` wrapped as the multi-channel call answers it."""
    document = refusal.document
    sources = [
        {"type": document["type"], "description": error["description"], "source": {"field": error["fieldName"]}}
        for error in document.get("fieldErrors", [])
    ]
    source = {"header": "Content-Type"} if refusal.status == _UNSUPPORTED else {}
    whole = {"type": document["type"], "description": document["description"], "source": source}
    return Refusal(refusal.status, {"links": [], "data": None, "errors": sources or [whole]}, headers=refusal.headers)
