"""The stored records, as typed values. `storage` has how they are stored, `schemas` how the API shows them."""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from sms_common.configuration import DEFAULT_PBX, SmsConfigFields
from sms_common.rules import Permission
from sms_config.model.hours import StoredHours
from sms_config.model.keyring import Place, Sealed

# Increase it when the form of documents changes. A process refuses documents that are newer than it knows.
SCHEMA = 1

CALLBACK_PASSWORD = "callback.password"  # noqa: S105  # the name of a field
WEBHOOK_TOKEN = "webhook.token"  # noqa: S105  # the name of a field
CREDENTIALS = "credentials."
ACCOUNT_PROOF = "account_proof"
_STAMPS = frozenset({"version", "created_at", "created_by", "updated_at", "updated_by"})


def now_utc() -> datetime:
    """Return the time as MongoDB stores it: UTC, whole milliseconds. So an answer now equals what is read later."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class StoredRecord(BaseModel):
    """Anything that a store keeps, reads and lists by the same methods."""

    COLLECTION: ClassVar[str]
    # For people: how errors and audit records call such an object.
    NOUN: ClassVar[str]

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str

    @property
    @abstractmethod
    def owner(self) -> str | None:
        """The tenant this belongs to, or None for what belongs to the installation."""


class Record(StoredRecord):
    """An object that people change. `version` grows with every change and prevents lost updates."""

    # Fields that no audit record holds.
    HIDDEN: ClassVar[frozenset[str]] = frozenset()

    version: int = 1
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @property
    def concerns(self) -> tuple[str, ...]:
        """The tenants to which a change is announced."""
        return () if self.owner is None else (self.owner,)

    def changed(self, at: datetime, by: str, **values: Any) -> Self:
        """Return this record with other values, one version later."""
        return self.model_copy(update={**values, "version": self.version + 1, "updated_at": at, "updated_by": by})

    def public(self) -> dict[str, Any]:
        """Return this record for the audit log: JSON values, without secrets and look-up hashes."""
        return self.model_dump(mode="json", exclude={*_STAMPS, *self.HIDDEN})

    def shown(self) -> "Mapping[str, StoredSecret]":
        """The encrypted values that the audit log shows, still encrypted."""
        return {}


class TenantRecord(Record):
    """A customer of the PBX."""

    COLLECTION = "tenants"
    NOUN = "tenant"

    name: str
    country: str
    foreign_without_plus: bool = False
    time_zone: str | None = None
    pbx_id: str = DEFAULT_PBX
    default_config_id: str | None = None
    # The default routing: read and changed as the resource `routing`.
    hours: StoredHours | None = None
    holidays: tuple[str, ...] = ()
    blocked_senders: str = ""
    unlisted_extensions: Permission = Permission.ALLOW_WITH_SENDER_ID

    @property
    def owner(self) -> str:
        """A tenant belongs to itself."""
        return self.id


class LentPool(BaseModel):
    """The numbers of one trunk that are one tenant's; `dids` in the canonical text form of a number pool."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tenant_id: str
    dids: str = ""
    default_did: str | None = None


class TrunkRecord(Record):
    """A carrier connection and the numbers that came with it; `dids` in the canonical text form of a number pool.

    It is one tenant's own, or it belongs to the system (no `tenant_id`) and is lent. A lent trunk has its numbers in
    `pools`, one for each tenant, and `account` is the lender's account at the carrier.
    """

    COLLECTION = "trunks"
    NOUN = "trunk"

    tenant_id: str | None = None
    name: str
    brand: str
    carrier: str
    hostname: str | None = None
    account: str | None = None
    dids: str = ""
    default_did: str | None = None
    pools: tuple[LentPool, ...] | None = None

    @property
    def owner(self) -> str | None:
        """The tenant that owns the trunk, or None for a trunk of the system."""
        return self.tenant_id

    @property
    def concerns(self) -> tuple[str, ...]:
        """The tenants that may use it."""
        return tuple(pool.tenant_id for pool in self.all_pools)

    @property
    def all_pools(self) -> tuple[LentPool, ...]:
        """The numbers of every tenant that may use it. A tenant's own trunk has one pool."""
        if self.tenant_id is None:
            return self.pools or ()
        return (LentPool(tenant_id=self.tenant_id, dids=self.dids, default_did=self.default_did),)

    def pool_of(self, tenant_id: str) -> LentPool | None:
        """The numbers of a tenant, or None when it may not use the trunk."""
        return next((pool for pool in self.all_pools if pool.tenant_id == tenant_id), None)

    def seen_by(self, tenancy: frozenset[str] | None) -> Self:
        """Return this trunk without what belongs to other tenants. A lent trunk shows the rest in `dids` too."""
        if self.tenant_id is not None or tenancy is None:
            return self
        pools = tuple(pool for pool in self.all_pools if pool.tenant_id in tenancy)
        default = pools[0].default_did if len(pools) == 1 else None
        dids = ";".join(pool.dids for pool in pools if pool.dids)
        return self.model_copy(update={"pools": pools, "dids": dids, "default_did": default, "account": None})


class StoredSecret(BaseModel):
    """An encrypted value; `key_id` names its key. `last4` is set only for values that identify, not authenticate.

    `shown`: the audit log shows it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    key_id: str
    data: bytes = Field(repr=False)
    changed_at: datetime
    last4: str | None = None
    shown: bool = False

    @property
    def sealed(self) -> Sealed:
        """The encrypted value."""
        return Sealed(self.key_id, self.data)


class FormerToken(BaseModel):
    """A webhook token from before a rotation, still accepted until `valid_until`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha256: str
    valid_until: datetime


class SmsConfigRecord(Record, SmsConfigFields):
    """One SMS configuration. `secrets` holds every sealed value under its field's name."""

    COLLECTION = "sms_configs"
    NOUN = "SMS configuration"
    HIDDEN = frozenset({"webhook_sha256", "former_tokens", "secrets"})

    tenant_id: str
    provider_id: str
    callback_username: str | None = None
    webhook_sha256: str = Field(repr=False)
    former_tokens: tuple[FormerToken, ...] = Field(default=(), repr=False)
    secrets: Mapping[str, StoredSecret] = Field(default_factory=dict)

    @property
    def owner(self) -> str:
        """The tenant that sends with it."""
        return self.tenant_id

    def place(self, field: str) -> Place:
        """Return what a sealed value of this record is bound to."""
        return Place(self.COLLECTION, self.id, self.tenant_id, field)

    def shown(self) -> Mapping[str, StoredSecret]:
        """The credentials that are no secrets."""
        return {field: secret for field, secret in self.secrets.items() if secret.shown}

    def public(self) -> dict[str, Any]:
        """Return the fields that may be shown. Of each secret this is only the time when it was set."""
        shown = super().public()
        shown["secrets_set"] = {field: secret.changed_at.isoformat() for field, secret in sorted(self.secrets.items())}
        return shown


class ApiKeyRecord(Record):
    """A key to the API; only its public prefix and its SHA-256 are kept. `tenants` None: all of them."""

    COLLECTION = "api_keys"
    NOUN = "API key"
    HIDDEN = frozenset({"sha256", "last_used_at"})

    name: str
    prefix: str
    sha256: str = Field(repr=False)
    scopes: tuple[str, ...]
    tenants: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None

    @property
    def owner(self) -> str | None:
        """The tenant the key is limited to, when it is exactly one."""
        return self.tenants[0] if self.tenants is not None and len(self.tenants) == 1 else None


class Role(StrEnum):
    """What a person may do: everything, or everything in one tenant."""

    SYSTEM_ADMIN = "system_admin"
    TENANT_ADMIN = "tenant_admin"


class UserRecord(Record):
    """A person who logs in. `name_key` makes names unique whatever their case; `generation` counts passwords."""

    COLLECTION = "users"
    NOUN = "user"
    HIDDEN = frozenset({"name_key", "password_hash", "password_changed_at", "generation", "last_login_at"})

    name: str
    name_key: str
    password_hash: str = Field(repr=False)
    password_changed_at: datetime
    generation: int = 1
    role: Role
    tenant_id: str | None = None
    disabled: bool = False
    last_login_at: datetime | None = None

    @property
    def owner(self) -> str | None:
        """The tenant a tenant administrator belongs to."""
        return self.tenant_id

    def public(self) -> dict[str, Any]:
        """Return this record for the audit log; of the password only when it was set."""
        return {**super().public(), "secrets_set": {"password": self.password_changed_at.isoformat()}}


class Ticket(BaseModel):
    """A session, or a set-up link. `id` is the SHA-256 of its random secret, which is not stored.

    `generation` is the user's when the session was opened: a new password ends the session.
    """

    COLLECTION: ClassVar[str] = "tickets"
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(repr=False)
    purpose: Literal["session", "set_up"]
    created_at: datetime
    expires_at: datetime
    user_id: str | None = None
    generation: int = 0


Action = Literal["created", "updated", "deleted", "rotated"]
# What is done to a parked message. It is not an object of the store.
ParkedAction = Literal["replayed", "discarded", "revealed"]


class AuditRecord(StoredRecord):
    """Who changed what, and from what to what. `version` is the object's version after the change.

    `shown_before` and `shown_after` are encrypted values of the object that may be shown.
    """

    COLLECTION: ClassVar[str] = "audit"
    NOUN: ClassVar[str] = "audit record"

    at: datetime
    actor: str
    actor_name: str
    address: str | None = None
    request_id: str
    tenant_id: str | None
    kind: str
    object_id: str
    action: Action | ParkedAction
    version: int
    changes: tuple[str, ...]
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    shown_before: Mapping[str, StoredSecret] = Field(default_factory=dict)
    shown_after: Mapping[str, StoredSecret] = Field(default_factory=dict)

    def place(self, field: str) -> Place:
        """Return what an encrypted value of the object is bound to."""
        return Place(self.kind, self.object_id, self.tenant_id or "", field)

    @property
    def owner(self) -> str | None:
        """The tenant whose object was changed."""
        return self.tenant_id


AnnouncedKind = Literal["tenant", "trunk", "sms_config", "inbound_rule", "outbound_rule", "extension"]


class Announcement(BaseModel):
    """A change that RabbitMQ has not confirmed yet. It is written with the change and deleted once it is confirmed."""

    COLLECTION: ClassVar[str] = "announcements"
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    at: datetime
    tenant_id: str
    kind: AnnouncedKind
    object_id: str
    action: Action
    snapshot: str


class RetiredConfig(BaseModel):
    """An SMS configuration that was deleted: its lane may still have messages to finish."""

    COLLECTION: ClassVar[str] = "retired_configs"
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    tenant_id: str
    at: datetime
