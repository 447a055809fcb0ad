"""Tests what was configured: the credentials at the carrier, without sending anything, and the webhook from outside.

Each answer is a list of steps up to the first that fails, in words for administrators. No answer holds a secret.
"""

from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Any

import aiohttp
import structlog
from aiohttp import web
from pydantic import SecretStr

from sms_common.carriers import CarrierTable
from sms_common.carriers.protocol import Account, Carrier, CheckStep
from sms_common.errors import Code
from sms_config.access.auth import Caller
from sms_config.model.keyring import KeyRing, SealBroken
from sms_config.model.problems import Conflict, TooManyTests
from sms_config.model.records import CALLBACK_PASSWORD, CREDENTIALS, WEBHOOK_TOKEN, SmsConfigRecord, TrunkRecord
from sms_config.operations.replay_refusals import ReplayRefusal, ReplayRefused
from sms_config.operations.webhook_check import WebhookCheck, WebhookTarget
from sms_config.resources.account_proofs import AccountClaim, AccountProofs, NoProofReason
from sms_config.resources.changes import require
from sms_config.resources.sealing import credentials_set, open_secret
from sms_config.schemas.bodies import CredentialTrial, JsonObject, parse
from sms_config.schemas.credentials import read_credentials
from sms_config.schemas.views import StepView, TrialView
from sms_config.storage.store_protocol import EVERYONE, Store

_log = structlog.get_logger()

# Enough for somebody who tests one change after the other; too few to guess credentials or to annoy a carrier.
MAX_TESTS = 6
WITHIN = timedelta(minutes=1)
_REMEMBERED = 10_000
_LENDER = "lender"
_PROVED = "The account is the lender's, so this webhook speaks for every tenant that the trunk is lent to."
_UNPROVED = "so this webhook speaks for its own tenant's numbers only."
LACKS: Mapping[NoProofReason, str] = {
    NoProofReason.ANOTHER_ACCOUNT: f"The trunk is lent, and its lender has another account, {_UNPROVED}",
    NoProofReason.ACCOUNT_NOT_NAMED: f"The trunk is lent and does not name its lender's account, {_UNPROVED} A system "
    "administrator enters the account in the trunk.",
    NoProofReason.CALLBACK_OF_TENANT: "A system administrator entered the credentials and somebody of the tenant the "
    f"callback user or password, {_UNPROVED} A system administrator enters these too.",
    NoProofReason.CALLBACK_MISSING: "A system administrator entered the credentials, and the webhook asks for no "
    f"callback password though people of the tenant can read its address, {_UNPROVED} A system administrator enters a "
    "callback user and password, here and at the carrier.",
}


class ConnectionTestThrottle:
    """Limits how often each SMS configuration is tested. It is kept in memory, for a bounded number of them."""

    def __init__(self, clock: Callable[[], datetime], *, most: int = MAX_TESTS, within: timedelta = WITHIN) -> None:
        self._clock = clock
        self._most = most
        self._within = within
        self._begun: OrderedDict[str, deque[datetime]] = OrderedDict()

    def count(self, config_id: str) -> None:
        """Count a test. Raises TooManyTests."""
        now = self._clock()
        begun = self._begun.pop(config_id, deque())
        self._begun[config_id] = begun
        while begun and now - begun[0] >= self._within:
            begun.popleft()
        if len(begun) >= self._most:
            raise TooManyTests(ceil((begun[0] + self._within - now).total_seconds()))
        begun.append(now)
        if len(self._begun) > _REMEMBERED:
            self._begun.popitem(last=False)


class CarrierChecks:
    """The carriers with an HTTP session, while the application runs. `options` are those of the dispatcher."""

    def __init__(self, table: CarrierTable, options: Mapping[str, Mapping[str, Any]]) -> None:
        self._table = table
        self._options = options
        self._made: dict[str, Carrier] = {}

    async def connected(self, _: web.Application) -> AsyncIterator[None]:
        """Keep the session."""
        async with aiohttp.ClientSession() as http:
            self._made = {name: make(http, self._options.get(name)) for name, make in self._table.items()}
            yield
            for carrier in self._made.values():
                await carrier.close()

    def __getitem__(self, name: str) -> Carrier:
        return self._made[name]


class ConnectionTests:
    """Tests SMS configurations. `public_url` is the base of the webhooks: no other address is ever called."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        carriers: CarrierChecks,
        webhooks: WebhookCheck,
        proofs: AccountProofs,
        throttle: ConnectionTestThrottle,
        public_url: str,
    ) -> None:
        self._store = store
        self._ring = ring
        self._carriers = carriers
        self._webhooks = webhooks
        self._proofs = proofs
        self._throttle = throttle
        self._public_url = public_url

    async def credentials(self, caller: Caller, config_id: str, given: JsonObject) -> TrialView:
        """Test the stored credentials, or those in `given` in their place. Raises NotFound, Invalid, TooManyTests."""
        body = parse(CredentialTrial, given)
        record, trunk = await self._find(caller, config_id)
        carrier = self._carriers[trunk.carrier]
        typed = read_credentials(body.credentials, carrier.declaration)
        stored = {name: self._open(record, CREDENTIALS + name) for name in credentials_set(record)}
        merged = {**stored, **typed}
        account = Account(record.id, {name: value for name, value in merged.items() if value is not None})
        self._throttle.count(record.id)
        steps = _misformed(carrier, account) or await carrier.check(account)
        views = [StepView(step=one.step, ok=one.ok, code=one.code, says=one.says) for one in steps]
        if merged == stored and trunk.owner is None:
            views += await self._proved(record, trunk, views[-1])
        return _result(record, "credentials", views)

    async def _proved(self, record: SmsConfigRecord, trunk: TrunkRecord, last: StepView) -> list[StepView]:
        """What the carrier's answer to the stored credentials says about the account of a lent trunk, for good."""
        if not last.ok:
            if last.code == Code.CREDENTIALS_REFUSED:
                await self._proofs.end(record, trunk)
            return []
        claim = await self._proofs.claim(record, trunk, self._carriers[trunk.carrier])
        if isinstance(claim, AccountClaim):
            kept = await self._proofs.keep(claim)
            return [StepView(step=_LENDER, ok=True, code=None, says=_PROVED)] if kept else []
        await self._proofs.end(record, trunk)
        return [StepView(step=_LENDER, ok=True, code=claim, says=LACKS[claim])]

    async def webhook(self, caller: Caller, config_id: str) -> TrialView:
        """Call the webhook as the carrier would, and inject nothing. Raises NotFound, Conflict, TooManyTests."""
        record, trunk = await self._find(caller, config_id)
        target = self._target(record, trunk)
        self._throttle.count(record.id)
        return _result(record, "webhook", await self._webhooks.run(target))

    async def reposter(self, config_id: str) -> Callable[[bytes], Awaitable[str | None]]:
        """Return what posts a body to the webhook again, as the carrier did. Raises ReplayRefused."""
        record = await self._store.get(SmsConfigRecord, config_id, EVERYONE)
        trunk = None if record is None else await self._store.get(TrunkRecord, record.provider_id, EVERYONE)
        if record is None or trunk is None:
            raise ReplayRefused(
                ReplayRefusal.CONFIG_GONE, "The SMS configuration whose webhook it came through is gone."
            )
        try:
            target = self._target(record, trunk)
        except Conflict as conflict:
            raise ReplayRefused(ReplayRefusal.SECRET_UNREADABLE, conflict.message) from None
        return partial(self._webhooks.repost, target)

    def _target(self, record: SmsConfigRecord, trunk: TrunkRecord) -> WebhookTarget:
        """Return where a configuration's webhook is called, and with what. Raises Conflict."""
        token = self._open(record, WEBHOOK_TOKEN)
        if token is None:
            raise Conflict("The webhook's address cannot be read; rotate it.")
        base = f"{self._public_url}/webhooks/{trunk.carrier}"
        return WebhookTarget(base, token, record.callback_username, self._open(record, CALLBACK_PASSWORD))

    async def _find(self, caller: Caller, config_id: str) -> tuple[SmsConfigRecord, TrunkRecord]:
        record = await require(self._store, SmsConfigRecord, config_id, caller)
        trunk = await self._store.get(TrunkRecord, record.provider_id, EVERYONE)
        assert trunk is not None, "a trunk is never deleted under its configurations"
        return record, trunk

    def _open(self, record: SmsConfigRecord, field: str) -> SecretStr | None:
        try:
            return open_secret(self._ring, record, field)
        except SealBroken as broken:
            _log.error("secret.unreadable", config_id=record.id, field=field, reason=str(broken))
            raise Conflict("A stored secret cannot be read with the present key ring; enter it again.") from None


def _misformed(carrier: Carrier, account: Account) -> list[CheckStep]:
    """Return the step that fails for what was stored unchecked: the carrier would only say that it is wrong."""
    wrong = carrier.declaration.faults(account.credentials)
    if not wrong:
        return []
    says = "; ".join(f"{name} {said}" for name, said in wrong.items())
    return [CheckStep("complete", ok=False, says=f"{says}. Enter it again.", code=Code.CREDENTIALS_REFUSED)]


def _result(record: SmsConfigRecord, what: str, steps: list[StepView]) -> TrialView:
    ok = all(step.ok for step in steps)
    _log.info("connection_test.finished", what=what, config_id=record.id, ok=ok, code=steps[-1].code)
    return TrialView(ok=ok, steps=tuple(steps))
