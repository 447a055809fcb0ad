"""What the gateway asks of a carrier: its declaration and a few methods. Only its own folder knows its words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import aiohttp
from pydantic import SecretStr

from sms_common.carriers.declaration import Declaration
from sms_common.configuration import CallbackCredentials
from sms_common.errors import Code
from sms_common.messages import Accepted, CarrierEvent, OutboundMessage

# With this body the gateway calls its own webhooks, to see what a carrier would meet: it is answered and not kept.
TEST_BODY: Final = b'[{"type":"sms-gateway-test"}]'
# Beside a 200: the code for which ingress keeps the body as it came. A carrier does not look at it.
KEPT_FOR: Final = "X-Kept-For"
# Ingress answers that body with this header: what it made of the request, in its own word.
RESULT_HEADER: Final = "X-Webhook-Test"
OTHER_SCHEME: Final = "other_scheme"


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A webhook as it arrived, so that parsing needs no server. Header names are lower case."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Account:
    """Whose name a request is sent in. `credentials` are the carrier's own names and values."""

    config_id: str
    credentials: Mapping[str, SecretStr]


@dataclass(frozen=True, slots=True)
class Window:
    """From a moment to another, both aware."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class ParsedWebhook:
    """What a webhook's body says: its events in order, and for each element that could not be understood the reason.

    A body with `unreadable` elements is kept whole beside its published events, so that one bad element loses neither
    itself nor its neighbours. `remarks` say what of an event that was read could not be used; they are logged. Neither
    holds a number or a text.
    """

    events: tuple[CarrierEvent, ...]
    unreadable: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One step of trying credentials. `says` is a sentence with what to do when it is not `ok`; never a secret."""

    step: str
    ok: bool
    says: str
    code: Code | None = None


class Carrier(Protocol):
    """One carrier, both directions. Instances hold no message state and are shared by all configurations.

    `declaration` says what it is configured by and what it takes.
    """

    name: str
    declaration: Declaration

    def __init__(self, http: aiohttp.ClientSession | None = None, options: Mapping[str, Any] | None = None) -> None:
        """Take the HTTP session, needed for sending only, and the process's `options` (addresses, timeouts)."""

    def authenticate(self, request: WebhookRequest, expected: CallbackCredentials | None) -> None:
        """Check a webhook's credentials in constant time. Raises WebhookUnauthorized."""

    def challenge(self) -> Mapping[str, str]:
        """Return the headers of the 401 that makes this carrier send its credentials."""

    def parse(self, body: bytes) -> ParsedWebhook:
        """Read every event in a webhook's body. Pure. Raises WebhookUnreadable when it yields not one."""

    async def send(self, message: OutboundMessage, account: Account) -> Accepted:
        """Hand one message to the carrier.

        Raises one of the SendFailure classes; never any other exception for what the network or the carrier did.
        Cancellation passes through.
        """

    async def find_sent(self, message: OutboundMessage, account: Account, window: Window) -> list[str]:
        """Return the carrier's ids of the messages it took within `window` that look like this one: same parties, same
        size. It is a guess, since a carrier's list does not hold our reference.

        Raises SendFailure when the list cannot be read.
        """

    async def check(self, account: Account) -> list[CheckStep]:
        """Try the credentials with calls that send and change nothing; the last step is the first that failed.

        Never raises for what the network or the carrier did.
        """

    async def close(self) -> None:
        """End what runs in the background (renewing a token, for example); the HTTP session stays open."""
