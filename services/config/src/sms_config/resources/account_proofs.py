"""Proofs that an SMS configuration on a lent trunk uses the lender's account.

A lent trunk has one account at the carrier. One webhook there can bring texts for all tenants that borrow the trunk. So
texts to other tenants' numbers are accepted at a configuration's webhook only after the carrier accepted its present
credentials for that account. Decision 0017 has the reasons.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import structlog
from pydantic import SecretStr

from sms_common.carriers.protocol import Carrier
from sms_config.access.auth import BOOTSTRAP, Caller, Scope, granted
from sms_config.model.keyring import KeyRing, SealBroken
from sms_config.model.query import Clause, Order, Query
from sms_config.model.records import (
    ACCOUNT_PROOF,
    CALLBACK_PASSWORD,
    CREDENTIALS,
    ApiKeyRecord,
    AuditRecord,
    Role,
    SmsConfigRecord,
    TrunkRecord,
    UserRecord,
)
from sms_config.resources.changes import Change, Changes
from sms_config.resources.sealing import Sealer, credentials_set, open_secret
from sms_config.storage.store_protocol import EVERYONE, Store, StoreReader, Transaction

_log = structlog.get_logger()

_GATEWAY = Caller("gateway", "gateway", frozenset(), EVERYONE)
_CALLBACK = ("callback_username", CALLBACK_PASSWORD)
# How many audit records of an object are read. If a field changed earlier than these, its writer is unknown.
_AUDITED = 500


class NoProofReason(StrEnum):
    """Why the account is not proved to be the lender's although the carrier accepted the credentials."""

    ANOTHER_ACCOUNT = "another_account"
    ACCOUNT_NOT_NAMED = "account_not_named"
    CALLBACK_OF_TENANT = "callback_of_tenant"
    CALLBACK_MISSING = "callback_missing"


@dataclass(frozen=True, slots=True)
class AccountClaim:
    """A configuration whose account can be proved. `account` is the lender's.

    The trunk names it, or a system administrator entered it.
    """

    record: SmsConfigRecord
    trunk: TrunkRecord
    account: str


class _Outdated(Exception):  # it ends a change that has become pointless
    """The stored credentials are no longer those that the carrier checked."""


def is_proved(ring: KeyRing, record: SmsConfigRecord, trunk: TrunkRecord) -> bool:
    """Whether the stored proof is for the present configuration and the trunk's present account."""
    if trunk.owner is not None or trunk.account is None or ACCOUNT_PROOF not in record.secrets:
        return False
    try:
        kept = open_secret(ring, record, ACCOUNT_PROOF)
        return kept is not None and kept.get_secret_value() == fingerprint(ring, record, trunk, trunk.account)
    except SealBroken:
        return False


def fingerprint(ring: KeyRing, record: SmsConfigRecord, trunk: TrunkRecord, account: str | None) -> str:
    """Return the SHA-256 of everything that a proof covers, so that any change ends the proof. Raises SealBroken."""
    fields = [*(CREDENTIALS + name for name in sorted(credentials_set(record))), CALLBACK_PASSWORD]
    opened = [(field, _clear(open_secret(ring, record, field))) for field in fields]
    whole = [trunk.id, trunk.carrier, account, record.callback_username, opened]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


def _clear(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


class AccountProofs:
    """Stores and deletes proofs. This does not change the version, so it conflicts with nobody who edits."""

    def __init__(self, store: Store, changes: Changes, ring: KeyRing) -> None:
        self._store = store
        self._changes = changes
        self._ring = ring

    def is_proved(self, record: SmsConfigRecord, trunk: TrunkRecord) -> bool:
        """Whether texts to all tenants that borrow the trunk are accepted at this configuration's webhook."""
        return is_proved(self._ring, record, trunk)

    async def claim(
        self, record: SmsConfigRecord, trunk: TrunkRecord, carrier: Carrier
    ) -> AccountClaim | NoProofReason:
        """Return what is proved if the carrier accepts the credentials, or why nothing is. Raises SealBroken."""
        own, account = self._account(record, carrier), trunk.account
        if account is None and await self._names_account(record, trunk, carrier, own):
            account = own
        if account is None or own is None:
            return NoProofReason.ACCOUNT_NOT_NAMED
        if own != account:
            return NoProofReason.ANOTHER_ACCOUNT
        return await self._callback_gap(record, carrier) or AccountClaim(record, trunk, account)

    async def _callback_gap(self, record: SmsConfigRecord, carrier: Carrier) -> NoProofReason | None:
        """Return why others than the account's owner could call the webhook; None if they cannot.

        They could if they knew its address, and its callback password if it has one.
        """
        secrets = [CREDENTIALS + name for name in carrier.declaration.secrets]
        if await self._administered(record, secrets) == {False}:
            return None
        if record.callback_username is None:
            return NoProofReason.CALLBACK_MISSING if await self._tenant_reads(record.tenant_id) else None
        return None if await self._administered(record, _CALLBACK) == {True} else NoProofReason.CALLBACK_OF_TENANT

    async def keep(self, claim: AccountClaim) -> bool:
        """Store that the carrier accepted the credentials. Returns False if they have changed since.

        A trunk that names no account gets this one.
        """
        digest = fingerprint(self._ring, claim.record, claim.trunk, claim.account)

        async def work(transaction: Transaction) -> Change[SmsConfigRecord]:
            record, trunk = await self._present(transaction, claim.record.id)
            if fingerprint(self._ring, record, trunk, trunk.account or claim.account) != digest:
                raise _Outdated
            if is_proved(self._ring, record, trunk):
                return Change("updated", record, record)
            now = self._changes.clock()
            proof = Sealer(self._ring, now).secret(SecretStr(digest), record.place(ACCOUNT_PROOF))
            after = record.model_copy(update={"secrets": {**record.secrets, ACCOUNT_PROOF: proof}})
            named = trunk.changed(now, _GATEWAY.id, account=claim.account)
            also: tuple[Change[TrunkRecord], ...] = (Change("updated", trunk, named),) if trunk.account is None else ()
            return Change("updated", record, after, also)

        try:
            await self._changes.make(_GATEWAY, work)
        except _Outdated:
            return False
        _log.info("account.proved", config_id=claim.record.id, trunk_id=claim.trunk.id)
        return True

    async def end(self, record: SmsConfigRecord, trunk: TrunkRecord) -> None:
        """Delete the proof, because the carrier refuses these credentials. Keep it if they have changed since."""
        if not self.is_proved(record, trunk):
            return
        digest = fingerprint(self._ring, record, trunk, trunk.account)

        async def work(transaction: Transaction) -> Change[SmsConfigRecord]:
            present, now_on = await self._present(transaction, record.id)
            if fingerprint(self._ring, present, now_on, now_on.account) != digest:
                raise _Outdated
            kept = {name: secret for name, secret in present.secrets.items() if name != ACCOUNT_PROOF}
            return Change("updated", present, present.model_copy(update={"secrets": kept}))

        try:
            await self._changes.make(_GATEWAY, work)
        except _Outdated:
            return
        _log.warning("account.proof_ended", config_id=record.id, trunk_id=trunk.id)

    async def _present(self, reader: StoreReader, config_id: str) -> tuple[SmsConfigRecord, TrunkRecord]:
        record = await reader.get(SmsConfigRecord, config_id, EVERYONE)
        trunk = None if record is None else await reader.get(TrunkRecord, record.provider_id, EVERYONE)
        if record is None or trunk is None or trunk.owner is not None:
            raise _Outdated
        return record, trunk

    def _account(self, record: SmsConfigRecord, carrier: Carrier) -> str | None:
        return _clear(open_secret(self._ring, record, CREDENTIALS + carrier.declaration.account))

    async def _names_account(
        self, record: SmsConfigRecord, trunk: TrunkRecord, carrier: Carrier, own: str | None
    ) -> bool:
        """Whether system administrators entered these credentials, and no other account for the trunk."""
        entered = await self._administered(record, [CREDENTIALS + name for name in credentials_set(record)])
        return entered == {True} and await self._is_only_account(record, trunk, carrier, own)

    async def _is_only_account(
        self, record: SmsConfigRecord, trunk: TrunkRecord, carrier: Carrier, own: str | None
    ) -> bool:
        """Whether system administrators entered no other account for a trunk."""
        query = Query((Clause("provider_id", "eq", (trunk.id,)),), top=None)
        for other in (await self._store.find(SmsConfigRecord, query, EVERYONE)).items:
            if other.id == record.id or self._account(other, carrier) in {None, own}:
                continue
            if await self._administered(other, [CREDENTIALS + carrier.declaration.account]) == {True}:
                return False
        return True

    async def _administered(self, record: SmsConfigRecord, fields: Iterable[str]) -> set[bool | None]:
        """Return, for the last writers of these fields, whether they are system administrators; None if unknown."""
        query = _audits(record.COLLECTION, record.id, _AUDITED)
        last: dict[str, str] = {}
        for audit in (await self._store.find(AuditRecord, query, EVERYONE)).items:
            for field in audit.changes:
                last.setdefault(field, audit.actor)
        writers = {last.get(field) for field in fields}
        return {None if writer is None else await self._administers(writer) for writer in writers}

    async def _administers(self, actor: str) -> bool | None:
        if actor == BOOTSTRAP:
            return True
        user = await self._store.get(UserRecord, actor, EVERYONE)
        if user is not None:
            return user.role is Role.SYSTEM_ADMIN
        key = await self._store.get(ApiKeyRecord, actor, EVERYONE)
        return await self._administered_once(actor) if key is None else key.tenants is None

    async def _administered_once(self, actor: str) -> bool | None:
        """Return the same for a deleted user or key, from the audit log."""
        for kind in (UserRecord, ApiKeyRecord):
            for audit in (await self._store.find(AuditRecord, _audits(kind.COLLECTION, actor, 1), EVERYONE)).items:
                known = audit.before or {}
                return known.get("role") == Role.SYSTEM_ADMIN if kind is UserRecord else known.get("tenants") is None
        return None

    async def _tenant_reads(self, tenant_id: str) -> bool:
        """Whether a user or key of a tenant may read its webhook addresses, including disabled and expired ones."""
        people = Query((Clause("tenant_id", "eq", (tenant_id,)),), top=1)
        if (await self._store.find(UserRecord, people, EVERYONE)).items:
            return True
        keys = (await self._store.find(ApiKeyRecord, Query(top=None), EVERYONE)).items
        return any(tenant_id in (key.tenants or ()) and Scope.CONFIG in granted(key.scopes) for key in keys)


def _audits(kind: str, object_id: str, top: int) -> Query:
    """Return a query for the latest changes of one object, the last one first."""
    return Query(
        (Clause("object_id", "eq", (object_id,)), Clause("kind", "eq", (kind,))),
        order=(Order("version", descending=True), Order("at", descending=True)),
        top=top,
    )
