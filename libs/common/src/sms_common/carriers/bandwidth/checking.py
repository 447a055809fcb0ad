"""Tests credentials at Bandwidth without sending anything: gets a token, then reads the account's newest messages.

The list call (https://dev.bandwidth.com/apis/messaging-apis/messaging, listMessages) reads metadata only and needs the
same role as sending. Only a send shows whether the Application ID is right.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

import aiohttp
import yarl

from sms_common.carriers.bandwidth.declaration import DECLARATION
from sms_common.carriers.bandwidth.oauth import Tokens, basic
from sms_common.carriers.bandwidth.options import Options
from sms_common.carriers.bandwidth.sending import ClearCredentials, clear_credentials
from sms_common.carriers.exchange import Answer, NoAnswerError, get
from sms_common.carriers.protocol import Account, CheckStep
from sms_common.errors import Code, Misconfigured, TemporaryFailure

# A person waits for the result, so an answer that takes longer does not count.
PATIENCE_SECONDS: Final = 10.0
_LOOK_BACK = timedelta(minutes=1)
_NO_APPLICATION = "The Application ID is not tested: only sending a text shows whether it is right."
_NO_GRANT = (
    "Bandwidth refuses this API token and secret. Copy both again from the OAuth2 credential: the client ID is the "
    "token, the client secret is shown only once. User names and passwords of API users end on 2 December 2026."
)
_REFUSED_ACCOUNT = (
    "The token is good, but Bandwidth does not let it read this account. Check the Account ID (the User ID in the "
    "account's settings), and that the credential has that account and the role for messaging."
)
_BASIC = "Signs in with user name and password. Bandwidth ends this on 2 December 2026: make OAuth2 client credentials."


class Checker:
    """Tests credentials over one HTTP session. Each test fetches a new token: a cached one would prove nothing."""

    def __init__(
        self, http: aiohttp.ClientSession, options: Options, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._options = options
        self._clock = clock
        patience = min(PATIENCE_SECONDS, options.total_timeout)
        self._timeout = aiohttp.ClientTimeout(total=patience, connect=min(options.connect_timeout, patience))

    async def check(self, account: Account) -> list[CheckStep]:
        """Return the steps up to the first that failed."""
        missing = DECLARATION.missing(account.credentials)
        if missing:
            says = f"Not all credentials are set; missing: {', '.join(missing)}."
            return [CheckStep("complete", ok=False, says=says, code=Code.CONFIG_INCOMPLETE)]
        credentials = clear_credentials(account, basic_auth=self._options.basic_auth)
        steps = [CheckStep("complete", ok=True, says="All credentials are set.")]
        authorization, token = await self._sign_in(credentials)
        steps.append(token)
        if authorization is not None:
            steps.append(await self._look(credentials.account_id, authorization))
        return steps

    async def _sign_in(self, credentials: ClearCredentials) -> tuple[str | None, CheckStep]:
        """Return the Authorization header, or None, and the step in which it was fetched."""
        client = credentials.client
        if credentials.basic_auth:
            return basic(client.id, client.secret), CheckStep("token", ok=True, says=_BASIC)
        tokens = Tokens(self._http, self._options.token_url, self._timeout, clock=self._clock)
        try:
            token = await tokens.get(client, self._clock() + PATIENCE_SECONDS)
        except TemporaryFailure as failure:
            return None, CheckStep("token", ok=False, says=self._token_advice(failure), code=failure.code)
        finally:
            await tokens.close()
        return f"Bearer {token}", CheckStep("token", ok=True, says="Bandwidth gave a token for these credentials.")

    def _token_advice(self, failure: TemporaryFailure) -> str:
        if isinstance(failure, Misconfigured):
            return _NO_GRANT
        if failure.code is Code.CARRIER_UNREACHABLE:
            return _unreachable(self._options.token_url)
        return f"{failure.reason} Try again in a minute."

    async def _look(self, account_id: str, authorization: str) -> CheckStep:
        headers = {"Authorization": authorization, "Accept": "application/json"}
        try:
            answer = await get(self._http, self._list_url(account_id), headers, self._timeout)
        except NoAnswerError:
            says = _unreachable(self._options.messaging_url)
            return CheckStep("account", ok=False, says=says, code=Code.CARRIER_UNREACHABLE)
        return _judged(answer)

    def _list_url(self, account_id: str) -> yarl.URL:
        since = datetime.now(UTC) - _LOOK_BACK
        # Bandwidth requires milliseconds in times, and at least one filter.
        query = {"fromDateTime": since.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "limit": "1"}
        base = self._options.messaging_url.rstrip("/")
        return yarl.URL(f"{base}/users/{quote(account_id, safe='')}/messages?{urlencode(query)}", encoded=True)


def _judged(answer: Answer) -> CheckStep:
    match answer.status:
        case HTTPStatus.OK:
            says = f"Bandwidth lets these credentials see the account. {_NO_APPLICATION}"
            return CheckStep("account", ok=True, says=says)
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN | HTTPStatus.NOT_FOUND:
            return CheckStep("account", ok=False, says=_REFUSED_ACCOUNT, code=Code.CREDENTIALS_REFUSED)
        case HTTPStatus.TOO_MANY_REQUESTS:
            says = "Bandwidth received too many requests from here. Try again in five minutes."
            return CheckStep("account", ok=False, says=says, code=Code.CARRIER_BUSY)
    says = f"Bandwidth answered HTTP {answer.status}, which says nothing about the credentials. Try again later."
    return CheckStep("account", ok=False, says=says, code=Code.CARRIER_ERROR)


def _unreachable(url: str) -> str:
    host = yarl.URL(url).host
    return f"{host} cannot be reached from here. Check DNS, the firewall and the proxy for HTTPS to it."
