"""What each carrier implements: a declaration and a few methods. Only its own folder knows its words."""

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

# The body of a webhook test, in which the gateway calls its own webhook as a carrier would. Ingress keeps nothing.
TEST_BODY: Final = b'[{"type":"sms-gateway-test"}]'
# A header beside a 200: the code for which ingress kept the body as it came. Carriers ignore it.
KEPT_FOR: Final = "X-Kept-For"
# A header in the answer to a webhook test: how ingress would have ended the request.
RESULT_HEADER: Final = "X-Webhook-Test"
OTHER_SCHEME: Final = "other_scheme"


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A webhook as it arrived, so that parsing needs no server. Header names are lower case."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Account:
    """The account that a request is sent with. `credentials` have the carrier's own names."""

    config_id: str
    credentials: Mapping[str, SecretStr]


@dataclass(frozen=True, slots=True)
class Window:
    """A period. Both times have a zone."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class ParsedWebhook:
    """The contents of a webhook's body: its events in order, and a reason for each element that could not be read.

    If there are `unreadable` elements, the events are published and the whole body is kept, so that nothing is lost.
    `remarks` name the parts of an event that could not be used; they are logged. Neither contains a number or a text.
    """

    events: tuple[CarrierEvent, ...]
    unreadable: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One step of a credentials test. If it is not `ok`, `says` tells what to do. It never contains a secret."""

    step: str
    ok: bool
    says: str
    code: Code | None = None


class Carrier(Protocol):
    """One carrier, both directions. Instances keep no message state and are shared by all configurations."""

    name: str
    declaration: Declaration

    def __init__(self, http: aiohttp.ClientSession | None = None, options: Mapping[str, Any] | None = None) -> None:
        """Take the HTTP session, needed for sending only, and the process's `options` (addresses, timeouts)."""

    def authenticate(self, request: WebhookRequest, expected: CallbackCredentials | None) -> None:
        """Check a webhook's credentials in constant time. Raises WebhookUnauthorized."""

    def challenge(self) -> Mapping[str, str]:
        """Return the headers of the 401 that makes this carrier send its credentials."""

    def parse(self, body: bytes) -> ParsedWebhook:
        """Read all events in a webhook's body. Pure. Raises WebhookUnreadable if there is none."""

    async def send(self, message: OutboundMessage, account: Account) -> Accepted:
        """Send one message to the carrier.

        Raises one of the SendFailure classes, and no other exception for what the network or the carrier did.
        Cancellation passes through.
        """

    async def find_sent(self, message: OutboundMessage, account: Account, window: Window) -> list[str]:
        """Return the carrier's ids of messages from within `window` with the same parties and size as this one.

        It is a guess, since a carrier's list does not contain our reference. Raises SendFailure when the list cannot
        be read.
        """

    async def check(self, account: Account) -> list[CheckStep]:
        """Test the credentials with calls that send and change nothing. Stops after the first step that failed.

        Never raises for what the network or the carrier did.
        """

    async def close(self) -> None:
        """End background work, such as renewing a token. The HTTP session stays open."""
