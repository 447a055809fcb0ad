"""Bandwidth Messaging API v2, both directions. README.md lists its quirks."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from sms_common.carriers.bandwidth.checking import Checker
from sms_common.carriers.bandwidth.declaration import DECLARATION
from sms_common.carriers.bandwidth.options import Options
from sms_common.carriers.bandwidth.sending import BandwidthSender
from sms_common.carriers.bandwidth.webhooks import parse
from sms_common.carriers.protocol import Account, CheckStep, ParsedWebhook, WebhookRequest, Window
from sms_common.carriers.webhook_authentication import CHALLENGE, check_basic
from sms_common.configuration import CallbackCredentials
from sms_common.messages import Accepted, OutboundMessage

__all__ = ["Bandwidth", "Options"]


class Bandwidth:
    """The carrier Bandwidth. The protocol Carrier describes what each method must do.

    `options` are the fields of Options. A wrong or unknown one raises a ValueError with its name.
    """

    name = "bandwidth"
    declaration = DECLARATION

    def __init__(
        self,
        http: aiohttp.ClientSession | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        checked = Options.model_validate(dict(options or {}))
        self._sender = BandwidthSender(http, checked, clock=clock) if http is not None else None
        self._checker = Checker(http, checked, clock=clock) if http is not None else None

    def authenticate(self, request: WebhookRequest, expected: CallbackCredentials | None) -> None:
        """Check HTTP Basic, which may be sent at once or after the challenge. None: only the URL's token is needed."""
        check_basic(request.headers.get("authorization"), expected)

    def challenge(self) -> Mapping[str, str]:
        """Return the header of the 401 that asks Bandwidth for its credentials. It may not send them before."""
        return CHALLENGE

    def parse(self, body: bytes) -> ParsedWebhook:
        """Read receipts, inbound messages and toll-free verification. A new type becomes an unknown notice."""
        return parse(body)

    async def send(self, message: OutboundMessage, account: Account) -> Accepted:
        """Send one text, MMS or group MMS over the HTTP session that the constructor was given."""
        if self._sender is None:
            raise RuntimeError("sending needs an HTTP session")
        return await self._sender.send(message, account)

    async def find_sent(self, message: OutboundMessage, account: Account, window: Window) -> list[str]:
        """Search the account's list of messages, which goes back 14 days."""
        if self._sender is None:
            raise RuntimeError("finding needs an HTTP session")
        return await self._sender.find_sent(message, account, window)

    async def check(self, account: Account) -> list[CheckStep]:
        """Get a token, then read the account's newest messages."""
        if self._checker is None:
            raise RuntimeError("checking needs an HTTP session")
        return await self._checker.check(account)

    async def close(self) -> None:
        """End background token renewals."""
        if self._sender is not None:
            await self._sender.close()
