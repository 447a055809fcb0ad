"""Sends a message to Bandwidth: the request, the credentials, and the outcome.

Request: https://dev.bandwidth.com/apis/messaging-apis/messaging, createMessage.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
import yarl

from sms_common.carriers.bandwidth import message_search
from sms_common.carriers.bandwidth.answers import accepted
from sms_common.carriers.bandwidth.declaration import DECLARATION
from sms_common.carriers.bandwidth.oauth import OAuthClient, Tokens, basic
from sms_common.carriers.bandwidth.options import Options
from sms_common.carriers.exchange import Answer, NoAnswerError, get, post
from sms_common.carriers.protocol import Account, Window
from sms_common.errors import Code, Misconfigured, OutcomeUnknown, PermanentFailure, TemporaryFailure
from sms_common.messages import Accepted, OutboundMessage

_LEAST_SECONDS = 5.0
_DATES = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS
# Makes a request with this value of the header Authorization.
Ask = Callable[[str], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, repr=False)
class ClearCredentials:
    """One account's decrypted credentials, for one call."""

    account_id: str
    application_id: str
    client: OAuthClient
    basic_auth: bool


class BandwidthSender:
    """Sends messages over one HTTP session. `clock` is monotonic, in seconds.

    The session's connector must allow as many connections as there are sends in flight, because waiting for a free one
    counts as connecting.
    """

    def __init__(
        self, http: aiohttp.ClientSession, options: Options, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._options = options
        self._clock = clock
        timeout = aiohttp.ClientTimeout(total=options.total_timeout, connect=options.connect_timeout)
        self._tokens = Tokens(http, options.token_url, timeout, clock=clock)
        self._messages_url = lru_cache(maxsize=4096)(self._build_url)

    async def send(self, message: OutboundMessage, account: Account) -> Accepted:
        """Send one message within `total_timeout` seconds. Raises one of the SendFailure classes."""
        credentials = clear_credentials(account, basic_auth=self._options.basic_auth)
        body = encode(message, credentials.application_id)
        deadline = self._clock() + self._options.total_timeout
        url = self._messages_url(credentials.account_id)

        async def ask(authorization: str) -> Answer:
            return await self._post(url, authorization, body, deadline)

        answer = await self._authorised(credentials, ask, deadline)
        return accepted(answer, _private(message), datetime.now(UTC))

    async def find_sent(self, message: OutboundMessage, account: Account, window: Window) -> list[str]:
        """Return the ids of listed messages that look like this one. Raises SendFailure."""
        credentials = clear_credentials(account, basic_auth=self._options.basic_auth)
        # Encoded already: yarl would leave the plus of a number as it is, and a plus in a query means a blank.
        url = yarl.URL(
            f"{self._messages_url(credentials.account_id)}?{message_search.query(message, window)}", encoded=True
        )
        deadline = self._clock() + self._options.total_timeout

        async def ask(authorization: str) -> Answer:
            return await self._get(url, authorization)

        return message_search.alike(await self._authorised(credentials, ask, deadline), message)

    async def close(self) -> None:
        """Cancel the renewals of tokens."""
        await self._tokens.close()

    async def _authorised(self, credentials: ClearCredentials, ask: Ask, deadline: float) -> Answer:
        """Call `ask` with the account's credentials. If the token is refused, replace it and ask again, once."""
        client = credentials.client
        if credentials.basic_auth:
            return await ask(basic(client.id, client.secret))
        token = await self._tokens.get(client, deadline)
        answer = await ask(f"Bearer {token}")
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._tokens.refused(client, token)
            token = await self._tokens.get(client, deadline)
            answer = await ask(f"Bearer {token}")
        return answer

    async def _get(self, url: yarl.URL, authorization: str) -> Answer:
        headers = {"Authorization": authorization, "Accept": "application/json"}
        timeout = aiohttp.ClientTimeout(total=self._options.total_timeout, connect=self._options.connect_timeout)
        try:
            return await get(self._http, url, headers, timeout)
        except NoAnswerError as error:
            reason = f"Bandwidth's list of messages cannot be reached ({error.cause})."
            raise TemporaryFailure(Code.CARRIER_UNREACHABLE, reason) from None

    async def _post(self, url: yarl.URL, authorization: str, body: bytes, deadline: float) -> Answer:
        remaining = deadline - self._clock()
        # With less time than this the request would be sent and its answer probably lost.
        if remaining < min(_LEAST_SECONDS, self._options.total_timeout / 4):
            raise TemporaryFailure(Code.CARRIER_UNREACHABLE, "Getting a token left no time for sending.")
        headers = {"Authorization": authorization, "Content-Type": "application/json", "Accept": "application/json"}
        timeout = aiohttp.ClientTimeout(total=remaining, connect=self._options.connect_timeout)
        try:
            return await post(self._http, url, headers, body, timeout)
        except NoAnswerError as error:
            left, cause = error.left, error.cause
        if left:
            reason = f"The request left, and no answer came ({cause}); it may or may not have been sent."
            raise OutcomeUnknown(Code.OUTCOME_UNKNOWN, reason)
        raise TemporaryFailure(Code.CARRIER_UNREACHABLE, f"Bandwidth cannot be reached ({cause}).")

    def _build_url(self, account_id: str) -> yarl.URL:
        """Build the address of an account's messages. The path says `users`, but takes the account id."""
        base = self._options.messaging_url.rstrip("/")
        return yarl.URL(f"{base}/users/{quote(account_id, safe='')}/messages", encoded=True)


def encode(message: OutboundMessage, application_id: str) -> bytes:
    """Return the request's JSON body. Raises PermanentFailure for a text that is not Unicode (a lone surrogate)."""
    request: dict[str, Any] = {"applicationId": application_id, "to": message.recipients, "from": message.sender}
    if message.text:
        request["text"] = message.text
    if message.media_urls:
        request["media"] = message.media_urls
    request["tag"] = message.reference
    if message.high_priority:
        request["priority"] = "high"
    if message.expires_at is not None:
        request["expiration"] = message.expires_at
    try:
        return orjson.dumps(request, option=_DATES)
    except orjson.JSONEncodeError:
        raise PermanentFailure(Code.INVALID_REQUEST, "The message contains characters that are not Unicode.") from None


def clear_credentials(account: Account, *, basic_auth: bool) -> ClearCredentials:
    """Return an account's credentials, decrypted. Raises Misconfigured when one is missing."""
    given = account.credentials
    account_id, application_id, token, secret = (field.value(given) for field in DECLARATION.credentials)
    if not (account_id and application_id and token and secret):
        missing = ", ".join(DECLARATION.missing(given))
        raise Misconfigured(Code.CONFIG_INCOMPLETE, f"The configuration lacks {missing}.")
    auth = given.get("auth")
    wants_basic = basic_auth or (auth is not None and auth.get_secret_value() == "basic")
    return ClearCredentials(account_id, application_id, OAuthClient(token, secret), wants_basic)


def _private(message: OutboundMessage) -> tuple[str, ...]:
    """Return what an answer may repeat and what must not be logged."""
    return (message.text or "", message.sender, *message.recipients, *message.media_urls)
