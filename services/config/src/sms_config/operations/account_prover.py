"""Proves by itself who has the account of a lent trunk: after every change, and once a day what is proved already.

It never holds up a save. A carrier that cannot be reached is asked again later; one that refuses ends a proof.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from aiohttp import web

from sms_common.carriers.protocol import Account, Carrier
from sms_common.errors import Code, Unavailable
from sms_config.model.keyring import KeyRing, SealBroken
from sms_config.model.query import Clause, Query
from sms_config.model.records import CREDENTIALS, SmsConfigRecord, TrunkRecord
from sms_config.resources.account_proofs import AccountClaim, AccountProofs, Lack, fingerprint
from sms_config.resources.sealing import credentials_set, open_secret
from sms_config.storage.store_protocol import EVERYONE, Store

_log = structlog.get_logger()

# Another process may have written a change.
_LOOK_SECONDS = 30.0
_AFTER_TROUBLE_SECONDS = 5.0
_PROVED_FOR = timedelta(days=1)
# What is lacking may come from elsewhere: from who entered another configuration of the trunk.
_LACKING_FOR = timedelta(minutes=1)
# What a carrier refuses it may accept when somebody has done something there.
_REFUSED_FOR = timedelta(hours=1)
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=10)


class ProverCarriers(Protocol):
    """The carriers by their names."""

    def __getitem__(self, name: str, /) -> Carrier:
        """Return one."""


@dataclass(frozen=True, slots=True)
class _Try:
    """When the carrier is asked again about the very same; `failures` in a row without an answer."""

    of: str
    again_at: datetime
    failures: int = 0


class Prover:
    """Tries the configurations on lent trunks, one after the other. `is_open`: whether the store may be used yet."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        proofs: AccountProofs,
        carriers: ProverCarriers,
        *,
        clock: Callable[[], datetime],
        is_open: Callable[[], bool],
    ) -> None:
        self._store = store
        self._ring = ring
        self._proofs = proofs
        self._carriers = carriers
        self._clock = clock
        self._is_open = is_open
        self._tries: dict[str, _Try] = {}
        self._work = asyncio.Event()

    def wake(self) -> None:
        """Something may have changed."""
        self._work.set()

    async def connected(self, _: web.Application) -> AsyncIterator[None]:
        """Work while the application runs."""
        working = asyncio.create_task(self._run())
        yield
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._work.clear()
            pause = _LOOK_SECONDS
            try:
                if self._is_open():
                    await self.look()
                else:
                    pause = _AFTER_TROUBLE_SECONDS
            except Unavailable:
                pause = _AFTER_TROUBLE_SECONDS
            except Exception:  # noqa: BLE001  # a bug in one round must not end all proving; the log has it
                _log.exception("account.proving_failed")
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._work.wait()

    async def look(self) -> None:
        """Try whatever is due. Raises Unavailable."""
        of_system = Query((Clause("tenant_id", "eq", (None,)),), top=None)
        lent = await self._store.find(TrunkRecord, of_system, EVERYONE)
        trunks = {trunk.id: trunk for trunk in lent.items}
        if not trunks:
            return
        mine = Query((Clause("provider_id", "in", tuple(trunks)),), top=None)
        configs = (await self._store.find(SmsConfigRecord, mine, EVERYONE)).items
        self._tries = {record.id: self._tries[record.id] for record in configs if record.id in self._tries}
        for record in configs:
            try:
                await self._try(record, trunks[record.provider_id])
            except SealBroken:
                continue  # it cannot send either, and the log says so when a snapshot is made
            except Unavailable:
                raise
            except Exception:  # noqa: BLE001  # one configuration must not keep the others from being proved
                _log.exception("account.proving_failed", config_id=record.id)

    async def _try(self, record: SmsConfigRecord, trunk: TrunkRecord) -> None:
        carrier = self._carriers[trunk.carrier]
        account = self._account_of(record)
        if carrier.declaration.missing(account.credentials):
            return
        mark = fingerprint(self._ring, record, trunk, trunk.account)
        known = self._tries.get(record.id)
        last = known if known is not None and known.of == mark else None
        early = last is not None and self._clock() < last.again_at
        if early and not self._hangs_on_readers(record, trunk):
            return
        claim = await self._proofs.claim(record, trunk, carrier)
        if isinstance(claim, Lack):
            await self._proofs.end(record, trunk)
            self._tries[record.id] = _Try(mark, self._clock() + _LACKING_FOR)
            return
        if early:
            return
        self._tries[record.id] = await self._ask(claim, carrier, account, mark, 0 if last is None else last.failures)

    def _hangs_on_readers(self, record: SmsConfigRecord, trunk: TrunkRecord) -> bool:
        """Whether a proof may end without any change of the configuration: when somebody new may read its address."""
        return record.callback_username is None and self._proofs.is_proved(record, trunk)

    async def _ask(self, claim: AccountClaim, carrier: Carrier, account: Account, mark: str, failures: int) -> _Try:
        steps = await carrier.check(account)
        now = self._clock()
        if all(step.ok for step in steps):
            await self._proofs.keep(claim)
            return _Try(mark, now + _PROVED_FOR)
        code = steps[-1].code
        _log.warning("account.unproved", config_id=claim.record.id, trunk_id=claim.trunk.id, code=code)
        if code is Code.CREDENTIALS_REFUSED:
            await self._proofs.end(claim.record, claim.trunk)
            return _Try(mark, now + _REFUSED_FOR)
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(failures, 8))
        return _Try(mark, now + wait, failures + 1)

    def _account_of(self, record: SmsConfigRecord) -> Account:
        opened = {name: open_secret(self._ring, record, CREDENTIALS + name) for name in credentials_set(record)}
        return Account(record.id, {name: value for name, value in opened.items() if value is not None})
