"""What is stored, as typed values. How it is stored is the store's business; what the API shows of it is in models."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from sms_common.configuration import DEFAULT_PBX, FailurePolicy
from sms_config.keyring import Place, Sealed

# Raised when a collection's documents change their form; a process refuses documents newer than it knows.
SCHEMA = 1

CALLBACK_PASSWORD = "callback.password"  # noqa: S105  # the name of a field
WEBHOOK_TOKEN = "webhook.token"  # noqa: S105  # the name of a field
CREDENTIALS = "credentials."
_STAMPS = frozenset({"version", "created_at", "created_by", "updated_at", "updated_by"})


def now_utc() -> datetime:
    """Return the time as MongoDB keeps it: UTC, whole milliseconds. So an answer now equals a read later."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class Record(BaseModel):
    """One stored object. `version` grows with every change and guards against lost updates."""

    COLLECTION: ClassVar[str]
    # For people: how errors and audit records call such an object.
    NOUN: ClassVar[str]
    # Fields that no audit record holds.
    HIDDEN: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    version: int = 1
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @property
    def owner(self) -> str | None:
        """The tenant this belongs to, or None for what belongs to the installation."""
        raise NotImplementedError

    def changed(self, at: datetime, by: str, **values: Any) -> Self:
        """Return this record with other values, one version later."""
        return self.model_copy(update={**values, "version": self.version + 1, "updated_at": at, "updated_by": by})

    def public(self) -> dict[str, Any]:
        """Return this record for the audit: JSON values, every secret and every look-up hash left out."""
        return self.model_dump(mode="json", exclude={*_STAMPS, *self.HIDDEN})


class TenantRecord(Record):
    """A customer of the PBX."""

    COLLECTION = "tenants"
    NOUN = "tenant"

    name: str
    country: str
    time_zone: str | None = None
    pbx_id: str = DEFAULT_PBX
    default_config_id: str | None = None

    @property
    def owner(self) -> str:
        """A tenant belongs to itself."""
        return self.id


class TrunkRecord(Record):
    """A carrier connection and the numbers that came with it; `dids` in the canonical text form of a number pool."""

    COLLECTION = "trunks"
    NOUN = "trunk"

    tenant_id: str
    name: str
    brand: str
    carrier: str
    hostname: str | None = None
    dids: str = ""
    default_did: str | None = None

    @property
    def owner(self) -> str:
        """The tenant whose numbers these are."""
        return self.tenant_id


class StoredSecret(BaseModel):
    """One sealed value, unreadable without the key `key_id`. `last4` only for what identifies and proves nothing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key_id: str
    data: bytes = Field(repr=False)
    changed_at: datetime
    last4: str | None = None

    @property
    def sealed(self) -> Sealed:
        """The encrypted value."""
        return Sealed(self.key_id, self.data)


class FormerToken(BaseModel):
    """A webhook token that was rotated out and is still taken until `valid_until`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha256: str
    valid_until: datetime


class SmsConfigRecord(Record):
    """One SMS configuration. `secrets` holds every sealed value under its field's name."""

    COLLECTION = "sms_configs"
    NOUN = "SMS configuration"
    HIDDEN = frozenset({"webhook_sha256", "former_tokens", "secrets"})

    tenant_id: str
    provider_id: str
    name: str
    enabled: bool = True
    sender_id: str | None = None
    failure_policy: FailurePolicy = FailurePolicy.HOLD
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

    def public(self) -> dict[str, Any]:
        """As for every record; of each secret only when it was set."""
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
        """As for every record; of the password only when it was set."""
        return {**super().public(), "secrets_set": {"password": self.password_changed_at.isoformat()}}


class Ticket(BaseModel):
    """A random secret that somebody holds for a while; `id` is its SHA-256 and all that is kept of it.

    A session is void once its user has another password: `generation` is the user's when it was opened.
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


class AuditRecord(BaseModel):
    """Who changed what, and from what to what. `version` is the object's version after the change."""

    COLLECTION: ClassVar[str] = "audit"
    NOUN: ClassVar[str] = "audit record"
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    at: datetime
    actor: str
    actor_name: str
    address: str | None = None
    request_id: str
    tenant_id: str | None
    kind: str
    object_id: str
    action: Action
    version: int
    changes: tuple[str, ...]
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Announcement(BaseModel):
    """A change that RabbitMQ has not confirmed yet: written with the change, removed once the broker has it."""

    COLLECTION: ClassVar[str] = "announcements"
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    at: datetime
    tenant_id: str
    kind: Literal["tenant", "trunk", "sms_config"]
    object_id: str
    action: Action
    snapshot: str


class RetiredConfig(BaseModel):
    """An SMS configuration that was deleted: its lane may still hold messages that must end."""

    COLLECTION: ClassVar[str] = "retired_configs"
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    tenant_id: str
    at: datetime
