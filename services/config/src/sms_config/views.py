"""What the API shows. No view has a field for a secret."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sms_common.configuration import FailurePolicy
from sms_config.records import Role


class Shown(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


class Stamps(Shown):
    """An object's id, when and by whom it was made and changed. `version` grows with every change."""

    id: str
    version: int
    created_at: datetime
    created_by: str = Field(description="`bootstrap`, `set-up`, or the id of an API key or a user.")
    updated_at: datetime
    updated_by: str


class TenantView(Stamps):
    """A tenant."""

    name: str
    country: str
    time_zone: str | None
    pbx_id: str
    default_config_id: str | None


class TrunkView(Stamps):
    """A trunk. `dids` in international form, sorted."""

    tenant_id: str
    name: str
    brand: str
    carrier: str
    hostname: str | None
    dids: str
    default_did: str | None


class SecretState(Shown):
    """Whether a secret is set, and since when. `last4` only for what identifies and does not authenticate."""

    set: bool
    changed_at: datetime | None = None
    last4: str | None = None


class CallbackView(Shown):
    """Who may call the webhook. The password itself is never shown."""

    username: str
    password_set: bool
    password_changed_at: datetime | None


class SmsView(Stamps):
    """An SMS configuration, without its secrets."""

    tenant_id: str
    name: str
    enabled: bool
    state: Literal["draft", "active", "disabled"]
    missing: tuple[str, ...] = Field(description="The credentials that a draft still lacks.")
    provider_id: str
    provider_name: str
    provider_brand: str
    provider_hostname: str | None
    carrier: str
    sender_id: str | None
    credentials_set: dict[str, SecretState]
    callback: CallbackView | None
    webhook: str | None = Field(
        description="The URL to enter at the carrier. It changes only when rotated. Null: unreadable, rotate it."
    )
    webhook_former_until: datetime | None = Field(
        description="Until when the URL before the last rotation is still taken."
    )
    failure_policy: FailurePolicy


class ApiKeyView(Stamps):
    """A key, without the key. `prefix` is how it begins."""

    name: str
    prefix: str
    scopes: tuple[str, ...]
    tenants: tuple[str, ...] | None
    expires_at: datetime | None
    last_used_at: datetime | None


class NewApiKeyView(ApiKeyView):
    """A key just made. `key` is shown this once."""

    key: str


class UserView(Stamps):
    """A person, without the password."""

    name: str
    role: Role
    tenant_id: str | None
    disabled: bool
    password_changed_at: datetime
    last_login_at: datetime | None


class TenantName(Shown):
    """A tenant, as it is chosen from a list."""

    id: str
    name: str


class SessionView(Shown):
    """Who is logged in. `csrf_token` belongs in the header X-CSRF-Token of every request that changes something."""

    user: UserView
    csrf_token: str
    expires_at: datetime
    tenants: tuple[TenantName, ...] = Field(description="The tenants the user may act in, by name; at most 100.")
    tenant_count: int


class MessageView(BaseModel):
    """A message of the history, under PortSIP's names where it has one."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    tenant_id: str
    parent_id: str | None
    config_id: str | None
    sender: str | None
    receiver: str
    recipients: tuple[str, ...]
    did: str | None
    direction: Literal["IN", "OUT"]
    msg_type: str
    content: str
    media: tuple[Any, ...]
    status: str
    final: bool
    delivery: str | None
    reason: str | None
    error: dict[str, Any] | None
    provider_msg_id: str | None
    segments: int | None
    attempt: int
    time: str
    updated_at: str
    history: tuple[dict[str, Any], ...]


class AuditView(Shown):
    """Who changed what, and from what to what; secrets are never in it."""

    id: str
    at: datetime
    actor: str
    actor_name: str
    address: str | None
    request_id: str
    tenant_id: str | None
    kind: str
    object_id: str
    action: str
    version: int
    changes: tuple[str, ...]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
