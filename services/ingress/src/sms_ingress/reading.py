"""From the body of an authenticated webhook to everything that is published for it. No I/O, no logging."""

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sms_common.broker import Outgoing
from sms_common.carriers.protocol import Carrier, ParsedWebhook
from sms_common.configuration import WebhookEndpoint
from sms_common.errors import Code, WebhookUnreadable
from sms_common.events import MAX_EVENT_BYTES
from sms_common.messages import CarrierEvent, CarrierNotice
from sms_ingress import dead_letters
from sms_ingress.translation import outgoing

# Stands in metrics for every event type that this version does not know: a carrier's new words must not become labels.
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reading:
    """What becomes of one webhook: its events, the `kinds` of all that was in it, and what had to be kept as it came.

    `kept_for` says why there is a dead letter.
    """

    events: tuple[Outgoing, ...]
    kinds: tuple[str, ...]
    dead_letter: Outgoing | None = None
    kept_for: Code | None = None

    @property
    def messages(self) -> tuple[Outgoing, ...]:
        """Everything to publish."""
        return self.events if self.dead_letter is None else (*self.events, self.dead_letter)


def read(carrier: Carrier, body: bytes, endpoint: WebhookEndpoint, received_at: datetime) -> Reading:
    """Turn a webhook's body into what is published for it. Never raises for what is in the body.

    A body that holds anything nobody can read, or nobody acts on, is kept whole beside the events that were read.
    """
    parsed = _parse(carrier, body)
    events, failures = _translate(parsed.events, endpoint, received_at)
    kinds = tuple(_kind(said) for said in parsed.events)
    reasons = (*parsed.unreadable, *failures)
    notices = [said.kind for said in parsed.events if isinstance(said, CarrierNotice)]
    if reasons:
        letter = dead_letters.unreadable(body, endpoint, reasons, notices)
        return Reading(events, kinds, letter, Code.WEBHOOK_UNREADABLE)
    if notices:
        letter = dead_letters.not_handled(body, endpoint, notices)
        return Reading(events, kinds, letter, Code.WEBHOOK_NOT_HANDLED)
    return Reading(events, kinds)


def _parse(carrier: Carrier, body: bytes) -> ParsedWebhook:
    try:
        return carrier.parse(body)
    except WebhookUnreadable as error:
        return ParsedWebhook((), (error.reason,))
    except Exception as error:  # noqa: BLE001  # a parser's bug: a 5xx would make the carrier repeat this body for a day
        return ParsedWebhook((), (f"The parser failed: {_place(error)}.",))


def _translate(
    said: Iterable[CarrierEvent], endpoint: WebhookEndpoint, received_at: datetime
) -> tuple[tuple[Outgoing, ...], list[str]]:
    """Return the events to publish, and a reason for each that cannot be; one that cannot be spoils no other."""
    events: list[Outgoing] = []
    failures: list[str] = []
    for one in said:
        if isinstance(one, CarrierNotice):
            continue
        try:
            event = outgoing(one, endpoint, received_at)
        except ValueError as error:
            failures.append(f"An event cannot be passed on: {_place(error)}.")
            continue
        if len(event.body) > MAX_EVENT_BYTES:
            failures.append(f"An event would have {len(event.body)} bytes; {MAX_EVENT_BYTES} are allowed.")
        else:
            events.append(event)
    return tuple(events), failures


def _kind(said: CarrierEvent) -> str:
    if isinstance(said, CarrierNotice):
        return said.kind if said.known else UNKNOWN
    return said.carrier_event


def _place(error: Exception) -> str:
    """Return what kind of exception it is and where it arose. Its text may hold what the carrier sent."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name}"
