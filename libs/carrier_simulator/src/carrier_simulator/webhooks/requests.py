"""A webhook, and the requests that carried it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from carrier_simulator.carrier.accounts import Application, WebhookCredentials

__all__ = ["SUCCESS", "Attempt", "AttemptFilter", "Direction", "Webhook", "webhook_to"]

Direction = Literal["inbound", "outbound"]

SUCCESS = range(200, 300)


@dataclass(slots=True)
class Webhook:
    """One event for the customer. `first_try_over` is called after its first try, whether it succeeded or not."""

    url: str
    body: bytes
    credentials: WebhookCredentials | None
    direction: Direction
    kind: str
    message_id: str
    to: str
    tag: str | None = None
    first_try_over: Callable[[], None] | None = None
    tries: int = 0
    first_tried_at: float = 0.0


@dataclass(slots=True)
class Attempt:
    """One HTTP request that carried a webhook: `status`, or `error` when there was no answer; `duration` in seconds."""

    time: float
    webhook: Webhook
    number: int
    authorized: bool
    status: int | None
    error: str | None
    duration: float
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class AttemptFilter:
    """Selects attempts; a field that is None matches all. `answered` is a status, or 2 for every 2xx."""

    tag: str | None = None
    message_id: str | None = None
    to: str | None = None
    kind: str | None = None
    direction: Direction | None = None
    answered: int | None = None
    after: int = 0

    def __call__(self, attempt: Attempt) -> bool:
        """Return whether the attempt matches."""
        webhook = attempt.webhook
        return (
            attempt.sequence > self.after
            and (self.tag is None or webhook.tag == self.tag)
            and (self.message_id is None or webhook.message_id == self.message_id)
            and (self.to is None or webhook.to == self.to)
            and (self.kind is None or webhook.kind == self.kind)
            and (self.direction is None or webhook.direction == self.direction)
            and (self.answered is None or _answers(attempt.status, self.answered))
        )


def webhook_to(
    application: Application,
    direction: Direction,
    document: Any,
    *,
    kind: str,
    message_id: str,
    to: str,
    tag: str | None,
) -> Webhook | None:
    """Return the webhook that carries `document` to the application, or None if it has no URL for that direction."""
    inbound = direction == "inbound"
    url = application.inbound_url if inbound else application.outbound_url
    if url is None:
        return None
    credentials = application.inbound_credentials if inbound else application.outbound_credentials
    body = bytes(
        memoryview(orjson.dumps(document))
    )  # a copy: the bytes that orjson returns keep its whole buffer of 4 kB in memory
    return Webhook(url, body, credentials, direction, kind, message_id, to, tag)


def _answers(status: int | None, wanted: int) -> bool:
    return status in SUCCESS if wanted == 2 else status == wanted  # noqa: PLR2004 - the class 2xx
