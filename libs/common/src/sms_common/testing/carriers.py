"""A carrier for tests: what it answers is scripted by recipient, and what it was asked is recorded."""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import aiohttp
import orjson

from sms_common.carriers.declaration import (
    BasicCallback,
    CarrierLimits,
    CredentialField,
    CredentialPattern,
    Declaration,
    SetupStep,
)
from sms_common.carriers.protocol import (
    Account,
    CheckStep,
    ParsedWebhook,
    WebhookRequest,
    Window,
)
from sms_common.carriers.webhook_authentication import CHALLENGE, check_basic
from sms_common.configuration import CallbackCredentials
from sms_common.errors import Code, SendFailure, WebhookUnreadable
from sms_common.messages import Accepted, CarrierEvent, OutboundMessage

# How one send ends: an answer, a failure, or a coroutine function that waits for something, then gives or raises one.
Outcome = Accepted | SendFailure | Callable[[OutboundMessage], Awaitable[Accepted]]


@dataclass(frozen=True, slots=True)
class Sent:
    """One call of `send`, as it was made."""

    message: OutboundMessage
    account: Account


FAKE: Final = Declaration(
    brand="Fake",
    credentials=(
        CredentialField("account_id", "Account ID", secret=False, required=False),
        CredentialField("api_token", "API token", secret=True, required=False),
        CredentialField("api_secret", "API secret", secret=True, required=False),
    ),
    account="account_id",
    limits=CarrierLimits(text=2048, media=10, media_url=4096, group_recipients=10),
    callback=BasicCallback(challenged=True),
)
# Nothing in it is as it is elsewhere, so whoever draws it from memory draws it wrong.
SPICY: Final = Declaration(
    brand="Spice & Söhne",
    credentials=(
        CredentialField(
            "spice",
            "Spice",
            secret=False,
            known_as="Gewürz",
            pattern=CredentialPattern(
                re.compile("[a-z]+ [0-9]{1,3} g"), "must be a spice and its weight", ascii_only=False
            ),
            hint="On the back of the jar.",
        ),
        CredentialField(
            "paß-phrase",
            "Paß phrase",
            secret=True,
            aliases=("watchword",),
            pattern=CredentialPattern(re.compile(r".{3,}"), "must have 3 characters or more", ascii_only=False),
        ),
    ),
    account="spice",
    limits=CarrierLimits(text=1600, media=1, media_url=255, group_recipients=1, media_bytes=600_000),
    setup=(
        SetupStep("Jar", "Open the jar."),
        SetupStep("Post", "Write {webhook} on the lid."),
    ),
    setup_note="A lid that is not shut loses its scent.",
    campaign_name="Recipe",
    brand_name="Kitchen",
)


class FakeCarrier:
    """Obeys the Carrier protocol without a network.

    `script` sets what a recipient's sends end in, in turn; the last outcome stays. Unscripted sends are accepted.
    `webhook` turns events into a body that `parse` gives back.
    """

    name = "fake"
    declaration = FAKE

    def __init__(self, http: aiohttp.ClientSession | None = None, options: Mapping[str, Any] | None = None) -> None:
        self.http = http
        self.options = options
        self.sent: list[Sent] = []
        self.closed = False
        self.checked: list[Account] = []
        self.sought: list[tuple[OutboundMessage, Account, Window]] = []
        self.found: dict[str, list[str] | SendFailure] = {}
        self.checks = [CheckStep("account", ok=True, says="All is well.")]
        self._scripts: dict[str, deque[Outcome]] = {}
        self._events: list[CarrierEvent] = []
        self._progress = asyncio.Condition()

    def script(self, recipient: str, *outcomes: Outcome) -> None:
        """Set how sends to `recipient` end, one after the other; for a group the first scripted recipient counts."""
        self._scripts[recipient] = deque(outcomes)

    def require(self, *names: str) -> None:
        """Declare other credentials: these, and all of them required."""
        fields = tuple(CredentialField(name, name, secret=False) for name in names)
        self.declaration = replace(self.declaration, credentials=fields)

    async def send(self, message: OutboundMessage, account: Account) -> Accepted:
        """Record the call, then end it as scripted."""
        self.sent.append(Sent(message, account))
        number = len(self.sent)
        async with self._progress:
            self._progress.notify_all()
        outcome = self._next_outcome(message) or Accepted(f"fake-{number}", segments=1)
        if isinstance(outcome, SendFailure):
            raise outcome
        return outcome if isinstance(outcome, Accepted) else await outcome(message)

    async def wait_until_sent(self, count: int) -> None:
        """Return once `send` was called at least `count` times."""
        async with self._progress:
            await self._progress.wait_for(lambda: len(self.sent) >= count)

    def webhook(self, *events: CarrierEvent) -> bytes:
        """Return a body that `parse` reads as these events."""
        first = len(self._events)
        self._events.extend(events)
        return orjson.dumps(list(range(first, len(self._events))))

    def authenticate(self, request: WebhookRequest, expected: CallbackCredentials | None) -> None:
        """Check HTTP Basic, as most carriers do."""
        check_basic(request.headers.get("authorization"), expected)

    def challenge(self) -> Mapping[str, str]:
        """Return the Basic challenge."""
        return CHALLENGE

    def parse(self, body: bytes) -> ParsedWebhook:
        """Return the events `webhook` was given; elements of another make are unreadable."""
        try:
            elements = orjson.loads(body)
        except orjson.JSONDecodeError:
            elements = None
        if not isinstance(elements, list):
            raise WebhookUnreadable(Code.WEBHOOK_UNREADABLE, "The body is not a JSON array.")
        known = [element for element in elements if isinstance(element, int) and 0 <= element < len(self._events)]
        if not known:
            raise WebhookUnreadable(Code.WEBHOOK_UNREADABLE, "The body holds no event.")
        unreadable = tuple("This element is no event." for _ in range(len(elements) - len(known)))
        return ParsedWebhook(tuple(self._events[element] for element in known), unreadable)

    async def find_sent(self, message: OutboundMessage, account: Account, window: Window) -> list[str]:
        """Record the call, then answer with the ids in `found` for the first recipient, or raise what is there."""
        self.sought.append((message, account, window))
        found = self.found.get(message.recipients[0], [])
        if isinstance(found, SendFailure):
            raise found
        return found

    async def check(self, account: Account) -> list[CheckStep]:
        """Record the call, then answer with `checks`."""
        self.checked.append(account)
        return self.checks

    async def close(self) -> None:
        """Record that the carrier was closed."""
        self.closed = True

    def _next_outcome(self, message: OutboundMessage) -> Outcome | None:
        script = next((self._scripts[to] for to in message.recipients if self._scripts.get(to)), None)
        if script is None:
            return None
        return script.popleft() if len(script) > 1 else script[0]


class SpicyCarrier(FakeCarrier):
    """A carrier with odd credentials and without callback credentials, by which nobody has drawn anything yet."""

    name = "spicy"
    declaration = SPICY
