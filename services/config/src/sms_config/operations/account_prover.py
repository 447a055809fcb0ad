"""Proves in the background who has the account of a lent trunk: after every change, and again once a day.

It never delays a save. A carrier that cannot be reached is asked again later. A carrier that refuses ends a proof.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from aiohttp import web

from sms_common.backoff import BackoffPolicy
from sms_common.carriers.protocol import Account, Carrier
from sms_common.errors import Code, Unavailable
from sms_common.service.background_work import LoopEvents, periodically
from sms_config.model.keyring import KeyRing, SealBroken
from sms_config.model.query import Clause, Query
from sms_config.model.records import CREDENTIALS, SmsConfigRecord, TrunkRecord
from sms_config.resources.account_proofs import AccountClaim, AccountProofs, NoProofReason, fingerprint
from sms_config.resources.sealing import credentials_set, open_secret
from sms_config.storage.store_protocol import EVERYONE, Store

_log = structlog.get_logger()

# Another process may have written a change.
_POLL_SECONDS = 30.0
_AFTER_TROUBLE_SECONDS = 5.0
_PROVED_FOR = timedelta(days=1)
# A missing condition may be met by a change elsewhere, such as in another configuration of the trunk.
_INCOMPLETE_FOR = timedelta(minutes=1)
# A carrier may accept what it refused once somebody has changed something there.
_REFUSED_FOR = timedelta(hours=1)
_NO_ANSWER = BackoffPolicy(30.0, 600.0)
_EVENTS = LoopEvents("account.proving_waits", "account.proving_failed", logging.DEBUG)


class CarriersByName(Protocol):
    """The carriers by their names."""

    def __getitem__(self, name: str, /) -> Carrier:
        """Return one."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """When the carrier is asked again about the same credentials, and how many attempts in a row got no answer."""

    fingerprint: str
    again_at: datetime
    failures: int = 0


class AccountProver:
    """Checks the configurations on lent trunks, one after the other. `is_ready`: whether the store may be used yet."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        proofs: AccountProofs,
        carriers: CarriersByName,
        *,
        clock: Callable[[], datetime],
        is_ready: Callable[[], bool],
    ) -> None:
        self._store = store
        self._ring = ring
        self._proofs = proofs
        self._carriers = carriers
        self._clock = clock
        self._is_ready = is_ready
        self._attempts: dict[str, _Attempt] = {}
        self._work = asyncio.Event()

    def wake(self) -> None:
        """Check soon: something may have changed."""
        self._work.set()

    async def connected(self, _: web.Application) -> AsyncIterator[None]:
        """Work while the application runs."""
        working = asyncio.create_task(
            periodically(
                self._prove_if_ready,
                _POLL_SECONDS,
                None,
                _EVENTS,
                wake=self._work,
                after_failure=_AFTER_TROUBLE_SECONDS,
            )
        )
        yield
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    async def _prove_if_ready(self) -> None:
        if not self._is_ready():
            raise Unavailable(Code.STORE_UNAVAILABLE, "The store may not be used yet.")
        await self.prove_due()

    async def prove_due(self) -> None:
        """Check every configuration that is due. Raises Unavailable."""
        of_system = Query((Clause("tenant_id", "eq", (None,)),), top=None)
        lent = await self._store.find(TrunkRecord, of_system, EVERYONE)
        trunks = {trunk.id: trunk for trunk in lent.items}
        if not trunks:
            return
        mine = Query((Clause("provider_id", "in", tuple(trunks)),), top=None)
        configs = (await self._store.find(SmsConfigRecord, mine, EVERYONE)).items
        self._attempts = {record.id: self._attempts[record.id] for record in configs if record.id in self._attempts}
        for record in configs:
            try:
                await self._prove(record, trunks[record.provider_id])
            except SealBroken:
                continue  # it cannot send either; the log says so when a snapshot is made
            except Unavailable:
                raise
            except Exception:  # noqa: BLE001  # one configuration must not keep the others from being proved
                _log.exception("account.proving_failed", config_id=record.id)

    async def _prove(self, record: SmsConfigRecord, trunk: TrunkRecord) -> None:
        carrier = self._carriers[trunk.carrier]
        account = self._account_of(record)
        if carrier.declaration.missing(account.credentials):
            return
        digest = fingerprint(self._ring, record, trunk, trunk.account)
        known = self._attempts.get(record.id)
        last = known if known is not None and known.fingerprint == digest else None
        early = last is not None and self._clock() < last.again_at
        if early and not self._depends_on_readers(record, trunk):
            return
        claim = await self._proofs.claim(record, trunk, carrier)
        if isinstance(claim, NoProofReason):
            await self._proofs.end(record, trunk)
            self._attempts[record.id] = _Attempt(digest, self._clock() + _INCOMPLETE_FOR)
            return
        if early:
            return
        self._attempts[record.id] = await self._ask(
            claim, carrier, account, digest, 0 if last is None else last.failures
        )

    def _depends_on_readers(self, record: SmsConfigRecord, trunk: TrunkRecord) -> bool:
        """Whether a proof may end although the configuration did not change: when new people may read its address."""
        return record.callback_username is None and self._proofs.is_proved(record, trunk)

    async def _ask(
        self, claim: AccountClaim, carrier: Carrier, account: Account, digest: str, failures: int
    ) -> _Attempt:
        steps = await carrier.check(account)
        now = self._clock()
        if all(step.ok for step in steps):
            await self._proofs.keep(claim)
            return _Attempt(digest, now + _PROVED_FOR)
        code = steps[-1].code
        _log.warning("account.unproved", config_id=claim.record.id, trunk_id=claim.trunk.id, code=code)
        if code is Code.CREDENTIALS_REFUSED:
            await self._proofs.end(claim.record, claim.trunk)
            return _Attempt(digest, now + _REFUSED_FOR)
        wait = _NO_ANSWER.delay(failures + 1)
        return _Attempt(digest, now + timedelta(seconds=wait), failures + 1)

    def _account_of(self, record: SmsConfigRecord) -> Account:
        opened = {name: open_secret(self._ring, record, CREDENTIALS + name) for name in credentials_set(record)}
        return Account(record.id, {name: value for name, value in opened.items() if value is not None})
