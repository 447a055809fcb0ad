"""Turns the body of an authenticated webhook into everything that is published for it. No I/O, no logging."""

import traceback
from datetime import datetime
from typing import NamedTuple

from sms_common.broker import Outgoing
from sms_common.carriers.protocol import Carrier, ParsedWebhook
from sms_common.configuration import WebhookEndpoint
from sms_common.errors import Code, WebhookUnreadable
from sms_common.messages import CarrierNotice
from sms_ingress import dead_letters
from sms_ingress.translation import EventTooLarge, outgoing

# In metrics, for every event type that this version does not know: new words of a carrier must not become labels.
UNKNOWN = "unknown"


class Reading(NamedTuple):
    """The result of one webhook: its events, the `kinds` of all its elements, and the dead letter if one is needed.

    `kept_for` says why there is a dead letter. `remarks` say what in the events could not be used.
    """

    events: list[Outgoing]
    kinds: list[str]
    dead_letter: Outgoing | None = None
    kept_for: Code | None = None
    remarks: tuple[str, ...] = ()

    @property
    def messages(self) -> list[Outgoing]:
        """Everything to publish."""
        return self.events if self.dead_letter is None else [*self.events, self.dead_letter]


def read(carrier: Carrier, body: bytes, endpoint: WebhookEndpoint, received_at: datetime) -> Reading:
    """Turn a webhook's body into what is published for it. No body makes it raise.

    If anything in a body cannot be read, or nothing handles it, the whole body is kept as a dead letter too.
    """
    parsed = _parse(carrier, body)
    events: list[Outgoing] = []
    kinds: list[str] = []
    notices: list[str] = []
    unreadable = list(parsed.unreadable)
    for said in parsed.events:
        if isinstance(said, CarrierNotice):
            kinds.append(said.kind if said.known else UNKNOWN)
            notices.append(said.kind)
            continue
        kinds.append(said.carrier_event)
        try:
            events.append(outgoing(said, endpoint, received_at))
        except EventTooLarge as error:
            unreadable.append(str(error))
        except ValueError as error:
            unreadable.append(f"An event cannot be passed on: {_place(error)}.")
    if unreadable:
        letter = dead_letters.unreadable(body, endpoint, unreadable, notices)
        return Reading(events, kinds, letter, Code.WEBHOOK_UNREADABLE, parsed.remarks)
    if notices:
        letter = dead_letters.not_handled(body, endpoint, notices)
        return Reading(events, kinds, letter, Code.WEBHOOK_NOT_HANDLED, parsed.remarks)
    return Reading(events, kinds, remarks=parsed.remarks)


def _parse(carrier: Carrier, body: bytes) -> ParsedWebhook:
    try:
        return carrier.parse(body)
    except WebhookUnreadable as error:
        return ParsedWebhook((), (error.reason,))
    except Exception as error:  # noqa: BLE001  # a bug of the parser: a 5xx would make the carrier repeat this body for a day
        return ParsedWebhook((), (f"The parser failed: {_place(error)}.",))


def _place(error: Exception) -> str:
    """Return the type of an exception and where it arose. Its text may contain what the carrier sent."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name}"
