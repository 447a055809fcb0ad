"""What the gateway asks of a carrier: a few methods and its limits. Only a carrier's own folder knows its words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from pydantic import SecretStr

from sms_common.configuration import CallbackCredentials
from sms_common.messages import Accepted, CarrierEvent, OutboundMessage


@dataclass(frozen=True, slots=True)
class Limits:
    """What a carrier takes in one request. Lengths in characters."""

    text: int
    media: int
    media_url: int
    group_recipients: int


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
class ParsedWebhook:
    """What a webhook's body says: its events in order, and for each element that could not be understood the reason.

    A body with `unreadable` elements is kept whole beside its published events, so that one bad element loses neither
    itself nor its neighbours. The reasons hold no number and no text.
    """

    events: tuple[CarrierEvent, ...]
    unreadable: tuple[str, ...] = ()


class Carrier(Protocol):
    """One carrier, both directions. Instances hold no message state and are shared by all configurations.

    `credential_aliases` maps other names under which people know a credential onto the one this carrier uses.
    """

    name: str
    limits: Limits
    credential_aliases: Mapping[str, str]

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

    def missing_credentials(self, credentials: Mapping[str, SecretStr]) -> list[str]:
        """Name the credentials that this carrier needs and the configuration lacks."""

    async def close(self) -> None:
        """End what runs in the background (renewing a token, for example); the HTTP session stays open."""
