"""What the API takes and shows. Bodies are checked here, types first; what needs stored data, by the resources."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from sms_common.configuration import DEFAULT_PBX, FailurePolicy
from sms_config.auth import Scope
from sms_config.problems import FieldError, Invalid, invalid

JsonObject = dict[str, Any]
M = TypeVar("M", bound=BaseModel)

MAX_NAME = 64
MAX_DIDS = 20_000
MAX_SECRET = 512
MAX_GRACE = 30 * 24 * 3600
# Control characters, line separators, marks that turn the reading direction, and halves of surrogate pairs.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def _plain(text: str) -> str:
    """Without surrounding white space, and without characters that would garble a list, a header or a log."""
    stripped = text.strip()
    if _CONTROL.search(stripped):
        raise ValueError("may not hold control characters")
    return stripped


def _name(text: str) -> str:
    plain = _plain(text)
    if not 1 <= len(plain) <= MAX_NAME:
        raise ValueError(f"must have 1 to {MAX_NAME} characters")
    return plain


def _secret(value: SecretStr) -> SecretStr:
    text = _plain(value.get_secret_value())
    if not 1 <= len(text) <= MAX_SECRET:
        raise ValueError(f"must have 1 to {MAX_SECRET} characters; null removes it")
    return SecretStr(text)


def _username(text: str) -> str:
    plain = _name(text)
    if ":" in plain:
        raise ValueError("may not hold a colon (RFC 7617)")
    return plain


def _time_zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError("is not the name of a time zone, such as America/New_York")
    return text


def _dids(text: str) -> str:
    plain = _plain(text)
    if len(plain) > MAX_DIDS:
        raise ValueError(f"may have {MAX_DIDS} characters")
    return plain


def _text_only(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a time such as 2026-01-31T12:00:00Z")  # noqa: TRY004  # pydantic reports ValueError
    return value


def _policy(value: object) -> object:
    """`at_least_once` is the name a messaging person knows `resend` by."""
    return _member(FailurePolicy, FailurePolicy.RESEND if value == "at_least_once" else value)


def _scope(value: object) -> object:
    return _member(Scope, value)


def _member(kind: type[StrEnum], value: Any) -> StrEnum:
    """Strict validation takes members of an enumeration only; JSON has their names."""
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(kind)}") from None


Name = Annotated[str, AfterValidator(_name), Field(description="1 to 64 characters.")]
# Ids travel in routing keys and queue names. They begin with a letter or digit: a lone hyphen there means "no tenant".
NewId = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="1 to 64 letters, digits, underscores and hyphens."),
]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
Hostname = Annotated[str, AfterValidator(_plain), Field(pattern=r"^[A-Za-z0-9._:\[\]-]{1,253}$")]
Moment = Annotated[AwareDatetime, BeforeValidator(_text_only), Field(strict=False)]
Dids = Annotated[
    str,
    AfterValidator(_dids),
    Field(
        description="Numbers and ranges separated by `;`, such as `+12015550100-+12015550199; +12015550300`. "
        "National numbers are read with the tenant's country."
    ),
]


class Body(BaseModel):
    """A request's body: unknown fields and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Shown(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


class Stamps(Shown):
    """An object's id, when and by whom it was made and changed. `version` grows with every change."""

    id: str
    version: int
    created_at: datetime
    created_by: str = Field(description="`bootstrap`, or the id of an API key.")
    updated_at: datetime
    updated_by: str


class TenantWrite(Body):
    """A customer of the PBX."""

    name: Name
    country: Annotated[
        str, Field(pattern=r"^[A-Za-z]{2}$", description="ISO 3166 alpha-2; national numbers are read with it.")
    ] = "US"
    time_zone: Annotated[str, AfterValidator(_time_zone), Field(description="A name of the IANA database.")] | None = (
        None
    )
    pbx_id: NewId = Field(
        default=DEFAULT_PBX, description="The PBX that serves this tenant, by the name of its queue pair."
    )
    default_config_id: Reference | None = Field(
        default=None, description="The SMS configuration used when a request names none."
    )


class TenantCreate(TenantWrite):
    """A new tenant. Without an id it gets a random one."""

    id: NewId | None = None


class TenantView(Stamps):
    """A tenant."""

    name: str
    country: str
    time_zone: str | None
    pbx_id: str
    default_config_id: str | None


class TrunkWrite(Body):
    """A carrier connection with the numbers that came with it."""

    name: Name
    brand: Name = Field(description="The carrier's name as people know it, such as Bandwidth.")
    hostname: Hostname | None = None
    dids: Dids = ""
    default_did: str | None = Field(
        default=None, max_length=32, description="The sender used when nothing else names one; one of `dids`."
    )


class TrunkCreate(TrunkWrite):
    """A new trunk. `carrier` follows from the brand when absent, and never changes: webhook URLs hold it."""

    tenant_id: Reference | None = Field(default=None, description="May be left out by a key for one tenant.")
    carrier: str | None = Field(default=None, max_length=32)


class TrunkView(Stamps):
    """A trunk. `dids` in international form, sorted."""

    tenant_id: str
    name: str
    brand: str
    carrier: str
    hostname: str | None
    dids: str
    default_did: str | None


class Credentials(Body):
    """Write-only. An absent name keeps its value, null removes it."""

    account_id: Secret | None = None
    application_id: Secret | None = None
    api_token: Secret | None = None
    api_secret: Secret | None = None
    username: Secret | None = Field(default=None, description="Another name for api_token.")
    password: Secret | None = Field(default=None, description="Another name for api_secret.")

    def given(self) -> dict[str, SecretStr | None]:
        """Return the names that were given, under their first name. Raises Invalid when a name and its alias differ."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        for alias, name in _ALIASES.items():
            if alias not in values:
                continue
            value = values.pop(alias)
            if name in values and values[name] != value:
                raise Invalid.of(f"credentials.{alias}", f"is another name for {name}, and the two differ")
            values[name] = value
        return values


_ALIASES = {"username": "api_token", "password": "api_secret"}
CREDENTIAL_NAMES = ("account_id", "application_id", "api_token", "api_secret")
# These say who one is and do not prove it, so their ends may be shown to tell one account from another.
IDENTIFYING = frozenset({"account_id", "application_id"})


class Callback(Body):
    """The Basic user and password that the carrier presents at the webhook. The password is write-only."""

    username: Annotated[str, AfterValidator(_username)] | None = None
    password: Secret | None = None


class SmsWrite(Body):
    """An SMS configuration. `credentials` and `callback`: absent keeps what is set, null removes it."""

    name: Name
    enabled: bool = True
    provider_id: Reference = Field(description="The trunk.")
    sender_id: str | None = Field(
        default=None, max_length=32, description="A number, a short code or up to 11 letters and digits."
    )
    credentials: Credentials | None = None
    callback: Callback | None = None
    failure_policy: Annotated[FailurePolicy, BeforeValidator(_policy)] = FailurePolicy.HOLD
    prepend_plus: bool = Field(
        default=True,
        description="Recipients are written with a plus, for carriers that take both forms. Bandwidth always gets one.",
    )


class SmsCreate(SmsWrite):
    """A new SMS configuration. It may be a draft: the webhook exists from the first save."""

    tenant_id: Reference | None = Field(default=None, description="Follows from the trunk when left out.")


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
    prepend_plus: bool


class Rotation(Body):
    """How to rotate a webhook URL."""

    grace_seconds: int | None = Field(
        default=None, ge=0, le=MAX_GRACE, description="How long the old URL is still taken; 0 ends it at once."
    )


class ApiKeyWrite(Body):
    """A key to the API."""

    name: Name
    scopes: Annotated[list[Annotated[Scope, BeforeValidator(_scope)]], Field(min_length=1, max_length=len(Scope))]
    tenants: Annotated[list[Reference], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="The tenants it is limited to; null is all of them."
    )
    expires_at: Moment | None = None


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


def parse(model: type[M], given: JsonObject) -> M:
    """Return `given` as a `model`. Raises Invalid with a message for every wrong field, never repeating any input."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise invalid(error) from None


def merge(model: type[M], given: JsonObject, *, base: Mapping[str, Any], view: Mapping[str, Any]) -> M:
    """`given` over `base` as a `model`, for an update.

    A field that can only be read may be sent back as it is in `view`, so that what was read can be changed and written.
    """
    errors: list[FieldError] = []
    writable: JsonObject = dict(base)
    for field, value in given.items():
        if field in model.model_fields or field not in view:
            writable[field] = value
        elif value != view[field]:
            errors.append(FieldError(field=field, message="can only be read"))
    if errors:
        raise Invalid(errors)
    return parse(model, writable)
