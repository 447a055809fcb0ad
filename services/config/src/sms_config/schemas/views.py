"""The objects that the API shows. No view has a field for a secret."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from sms_common.configuration import SmsConfigFields
from sms_common.rules import Permission
from sms_config.model.hours import OpenHours
from sms_config.model.records import Role
from sms_config.model.rule_records import ExtensionFields, InboundRuleFields, OutboundRuleFields


class Shown(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


class Stamps(Shown):
    """An object's id, when and by whom it was made and changed. `version` grows with every change."""

    id: str
    version: int
    created_at: datetime
    created_by: str = Field(description="`bootstrap`, `set-up`, `gateway`, or the id of an API key or a user.")
    updated_at: datetime
    updated_by: str


class TenantView(Stamps):
    """A tenant."""

    name: str
    country: str
    foreign_without_plus: bool
    time_zone: str | None
    pbx_id: str
    default_config_id: str | None


class DidsCount(Shown):
    """How a list of numbers was read."""

    numbers: int = Field(description="How many numbers there are in all.")
    ranges: int = Field(description="How many of its entries are ranges.")


def _counted(dids: str) -> DidsCount:
    """Count the stored form of a pool, which is cheap to read."""
    ends = [entry.partition("-") for entry in dids.split(";") if entry]
    numbers = sum(int(last) - int(first) + 1 if last else 1 for first, _, last in ends)
    return DidsCount(numbers=numbers, ranges=sum(bool(last) for _, _, last in ends))


class LentPoolView(Shown):
    """The numbers of a trunk of the system that are one tenant's."""

    tenant_id: str
    dids: str
    default_did: str | None


class TrunkView(Stamps):
    """A trunk. `dids` in international form, sorted."""

    tenant_id: str | None = Field(description="Null: the trunk is the system's, and lent.")
    name: str
    brand: str
    carrier: str
    hostname: str | None
    account: str | None = Field(
        description="Of a lent trunk: the lender's account at the carrier. Who it is lent to does not see it."
    )
    dids: str = Field(description="Of a lent trunk: the numbers of the tenants that the caller acts for.")
    default_did: str | None
    pools: tuple[LentPoolView, ...] | None = Field(
        description="Null: one tenant's own trunk. Else whom it is lent to, and only what the caller may see of that."
    )

    @computed_field(description="How `dids` was read.")  # type: ignore[prop-decorator]
    @property
    def dids_count(self) -> DidsCount:
        """How many numbers and ranges there are."""
        return _counted(self.dids)


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


class SmsView(Stamps, SmsConfigFields):
    """An SMS configuration, without its secrets."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    tenant_id: str
    state: Literal["draft", "active", "disabled"]
    missing: tuple[str, ...] = Field(description="The credentials that a draft still lacks.")
    provider_id: str
    provider_name: str
    provider_brand: str
    provider_hostname: str | None
    carrier: str
    credentials_set: dict[str, SecretState]
    credentials_shown: dict[str, str] = Field(
        description="The values of those credentials that are no secrets, such as an account's id. Empty on a lent "
        "trunk."
    )
    account_proved: bool | None = Field(
        description="On a lent trunk: whether the carrier accepted these credentials for the lender's account, so that "
        "the webhook speaks for every tenant that the trunk is lent to. Null on a trunk of the tenant's own."
    )
    callback: CallbackView | None
    webhook: str | None = Field(
        description="The URL to enter at the carrier. It changes only when rotated. Null: unreadable, rotate it. Who "
        "may only read sees `***` in place of its secret end."
    )
    webhook_former_until: datetime | None = Field(
        description="Until when the URL before the last rotation is still taken."
    )


class InboundRuleView(Stamps, InboundRuleFields):
    """An inbound rule."""


class OutboundRuleView(Stamps, OutboundRuleFields):
    """An outbound rule."""


class ExtensionView(Stamps, ExtensionFields):
    """An extension."""


class RoutingView(Stamps):
    """A tenant's hours, holidays, blocked senders, and what unlisted extensions may do; with the tenant's version."""

    tenant_id: str
    time_zone: str
    hours: OpenHours | None
    holidays: tuple[str, ...]
    blocked_senders: str
    unlisted_extensions: Permission


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
    rule_id: str | None = Field(default=None, description="The rule that decided, out or in.")
    route: dict[str, Any] | None = Field(
        default=None, description="Where an inbound message went: rule_id, kind, destination, reason."
    )
    time: str
    updated_at: str
    history: tuple[dict[str, Any], ...]


class StepView(Shown):
    """One step of a test. `code` is stable; with `ok` it is a remark. `says` also tells what to do."""

    step: str
    ok: bool
    code: str | None
    says: str


class TrialView(Shown):
    """The result of a test: its steps up to the first that failed."""

    ok: bool
    steps: tuple[StepView, ...]


class WebhookSeenView(Shown):
    """A webhook that came. `source` is the address it came from; behind a proxy, the proxy's."""

    at: datetime
    result: str = Field(description="How ingress took it, such as accepted, challenged or unreadable.")
    status: int = Field(description="What it was answered.")
    kind: str | None = Field(description="The carrier's word for the last event in it.")
    source: str | None


class LaneView(Shown):
    """Why the lane of an SMS configuration is stalled: `paused` resumes by itself, `person` needs somebody's help."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    why: Literal["paused", "person"]
    code: str
    reason: str
    since: datetime | None


class SmsHealthView(Shown):
    """The health of an SMS configuration, with its newest accepted webhook and its newest refused one."""

    config_id: str
    tenant_id: str
    health: Literal["ok", "never_seen", "failing", "draft", "disabled"]
    code: str
    says: str
    last_webhook: WebhookSeenView | None
    last_refused: WebhookSeenView | None
    lane: LaneView | None = Field(description="Null while its lane moves, and while the dispatcher cannot be asked.")


class ParkedView(Shown):
    """A message that could not be processed, or for which no queue was bound. Numbers are masked."""

    id: str
    tenant_id: str | None = Field(description="Null: only who sees all tenants may see it.")
    config_id: str | None = Field(description="The SMS configuration whose webhook it came through.")
    code: str | None
    reason: str | None
    source: str | None = Field(description="The queue or the webhook it came from; null when no queue was bound.")
    routing_key: str
    type: str | None
    parked_at: str | None
    size: int = Field(description="Bytes of its body.")
    stuck: str | None = Field(description="Why it cannot be replayed as it is, as a sentence; null when it can.")
    stuck_code: str | None = Field(description="The same as a stable code.")


class ParkedBodyView(ParkedView):
    """A parked message with its body: numbers masked and texts starred, until it is revealed."""

    body: Any = Field(description="JSON where it is; text otherwise, and null while that is not revealed.")
    revealed: bool


class Reason(Shown):
    """Why one of several messages was left. `code` is stable; `says` also tells what to do."""

    id: str
    code: str
    says: str


class ParkedResultView(Shown):
    """What was done to which parked messages. `left` are where they were; `absent` were not found."""

    done: tuple[str, ...]
    left: tuple[Reason, ...]
    absent: tuple[str, ...]


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
    credentials_before: dict[str, str] = Field(
        description="The credentials that are no secrets, as `credentials.<name>`; on a lent trunk none."
    )
    credentials_after: dict[str, str]
