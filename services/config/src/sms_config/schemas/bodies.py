"""The bodies that the API takes. Types and formats are checked here; the resources check what needs stored data."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from sms_common.configuration import DEFAULT_PBX, FailurePolicy, PaceLimits, SmsConfigFields
from sms_common.input.optional import only_given
from sms_common.input.pasted import trimmed
from sms_common.messages import Status
from sms_config.access.auth import Scope
from sms_config.model.problems import FieldProblem, Invalid, invalid
from sms_config.model.strict_model import StrictModel
from sms_config.schemas.fields import (
    MAX_GRACE,
    AccountId,
    Country,
    Dids,
    Hostname,
    Moment,
    Name,
    NewId,
    Passphrase,
    Password,
    Policy,
    Reference,
    RoleName,
    Secret,
    TimeZone,
    UserName,
    Username,
    member,
)

JsonObject = dict[str, Any]
# A trunk that is lent to more tenants than this would not fit into one body.
MAX_LENT = 1_000
ScopeName = Annotated[Scope, BeforeValidator(lambda value: member(Scope, value))]
M = TypeVar("M", bound="Body")


class Body(StrictModel):
    """A request's body. Unknown fields and wrong types are refused; an empty value counts as not given."""

    @field_validator("*", mode="wrap")
    @classmethod
    def _as_it_is_stored(cls, value: object, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> object:
        """Accept a text that is stored already, even if a later rule would refuse it as a new one."""
        try:
            return read(value)
        except ValidationError:
            stored = (info.context or {}).get(info.field_name)
            if isinstance(value, str) and stored == value:
                return value
            raise


class TenantWrite(Body):
    """A customer of the PBX."""

    name: Name
    country: Country = "US"
    foreign_without_plus: bool = Field(
        default=False,
        description="Whether digits that are no number of the country may be one of another without its plus. False: "
        "these are refused, so that a digit too many reaches nobody abroad.",
    )
    time_zone: TimeZone | None = None
    pbx_id: NewId = Field(
        default=DEFAULT_PBX, description="The PBX that serves this tenant, by the name of its queue pair."
    )
    default_config_id: Reference | None = Field(
        default=None, description="The SMS configuration used when a request names none."
    )


class TenantCreate(TenantWrite):
    """A new tenant. Without an id it gets a random one."""

    id: NewId | None = None


class LentPoolWrite(Body):
    """Numbers of a trunk of the system, lent to a tenant."""

    tenant_id: Reference
    dids: Dids = ""
    default_did: str | None = Field(default=None, max_length=32)


class TrunkWrite(Body):
    """A carrier connection with the numbers that came with it.

    With `pools` it is the system's and lent to tenants, each with numbers of its own; only a system administrator makes
    and changes such a trunk, and it has no `dids` of its own.
    """

    name: Name
    brand: Name = Field(description="The carrier's name as people know it: the `brand` of one of `GET /carriers`.")
    hostname: Hostname | None = None
    account: AccountId | None = Field(
        default=None,
        description="With `pools`: the lender's account at the carrier. The webhook of a configuration speaks for "
        "other tenants' numbers once the carrier accepted its credentials for this account.",
    )
    dids: Dids = ""
    default_did: str | None = Field(
        default=None, max_length=32, description="The sender used when nothing else names one; one of `dids`."
    )
    pools: Annotated[list[LentPoolWrite], Field(max_length=MAX_LENT)] | None = Field(
        default=None, description="Null: one tenant's own trunk. This never changes; who is in the list may."
    )


class TrunkCreate(TrunkWrite):
    """A new trunk. `carrier` follows from the brand when absent, and never changes: webhook URLs hold it."""

    tenant_id: Reference | None = Field(default=None, description="May be left out by a key for one tenant.")
    carrier: str | None = Field(default=None, max_length=32)


class Credentials(Body):
    """Write-only. An absent name keeps its value, as an empty text does; null removes it.

    Which names there are, the trunk's carrier says (`GET /api/v1/carriers`).
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Secret | None] = Field(init=False)

    def given(self) -> Mapping[str, SecretStr | None]:
        """The names that were given."""
        return self.__pydantic_extra__


class Callback(Body):
    """The Basic user and password that the carrier presents at the webhook. The password is write-only."""

    username: Username | None = None
    password: Passphrase | None = None


class LimitsWrite(PaceLimits):
    """How fast it may send, in segments; null: as fast as the carrier takes them."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _only_what_is_given(cls, value: object) -> object:
        return only_given(cls, value)

    # One in 100 s at the slowest: a slip of the finger must not stop an account for days.
    segments_per_second: Annotated[float | None, Field(ge=0.01, le=10_000)] = None
    number_segments_per_minute: Annotated[float | None, Field(ge=0.6, le=600_000)] = None
    account_segments_per_second: Annotated[float | None, Field(ge=0.01, le=10_000)] = None
    campaign_segments_per_minute: Annotated[float | None, Field(ge=0.6, le=600_000)] = None
    campaign_id: Name | None = Field(default=None, description="Whoever names the same campaign shares its limit.")
    brand_id: Name | None = Field(default=None, description="Whoever names the same brand shares its limit.")


class SmsWrite(Body, SmsConfigFields):
    """An SMS configuration. `credentials` and `callback`: absent keeps what is set, null removes it."""

    name: Name
    provider_id: Reference = Field(description="The trunk.")
    sender_id: str | None = Field(
        default=None, max_length=32, description="A number, a short code or up to 11 letters and digits."
    )
    credentials: Credentials | None = None
    callback: Callback | None = None
    failure_policy: Policy = FailurePolicy.HOLD
    limits: LimitsWrite = Field(default=LimitsWrite(), description="Given as a whole; null in it is no limit.")


class SmsCreate(SmsWrite):
    """A new SMS configuration. It may be a draft: the webhook exists from the first save."""

    tenant_id: Reference | None = Field(
        default=None,
        description="Follows from the trunk when left out; on a trunk that is lent, from a credential for one tenant.",
    )


class Rotation(Body):
    """How to rotate a webhook URL."""

    grace_seconds: int | None = Field(
        default=None, ge=0, le=MAX_GRACE, description="How long the old URL is still taken; 0 ends it at once."
    )


class ApiKeyWrite(Body):
    """A key to the API."""

    name: Name
    scopes: Annotated[list[ScopeName], Field(min_length=1, max_length=len(Scope))]
    tenants: Annotated[list[Reference], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="The tenants it is limited to; null is all of them."
    )
    expires_at: Moment | None = None


class UserWrite(Body):
    """A person who logs in to the portal. A tenant administrator belongs to one tenant."""

    name: UserName
    role: RoleName
    tenant_id: Reference | None = Field(
        default=None, description="The tenant of a tenant administrator; null for a system administrator."
    )
    disabled: bool = False
    password: Password | None = Field(default=None, description="Absent: the password stays as it is.")


class UserChange(UserWrite):
    """A change of a user. To change one's own password, the present one is needed: not everybody at the desk may."""

    current_password: Annotated[SecretStr, Field(max_length=1024)] | None = Field(
        default=None, description="The present password; needed with `password` by whoever changes its own."
    )


class UserCreate(UserWrite):
    """A new user."""

    password: Password


class LogIn(Body):
    """A log-in. A malformed name or password is answered like a wrong one."""

    username: Annotated[str, Field(max_length=256)]
    password: Annotated[SecretStr, Field(max_length=1024)]


class SetUp(Body):
    """The first administrator. `token` is the end of the link that the service printed when it started."""

    token: Annotated[SecretStr, Field(max_length=128)]
    name: UserName
    password: Password


class MessageFilter(Body):
    """Which messages of the history. `number` is either party; `search` also finds a message's id."""

    model_config = ConfigDict(strict=False)

    tenant_id: Reference | None = Field(
        default=None, description="May be left out with a credential for one tenant, or with the header X-Tenant."
    )
    number: Annotated[str | None, Field(max_length=64)] = None
    direction: Literal["IN", "OUT"] | None = None
    status: Status | None = None
    config_id: Reference | None = None
    since: Moment | None = None
    until: Moment | None = None
    search: Annotated[str | None, Field(max_length=64)] = None
    orderby: Literal["time", "time asc", "time desc"] = "time desc"
    skip: Annotated[int, Field(ge=0, le=100_000)] = 0
    top: Annotated[int, Field(ge=1, le=100)] = 100


class OneMessage(Body):
    """The tenant whose message is read."""

    model_config = ConfigDict(strict=False)

    tenant_id: Reference | None = Field(
        default=None, description="May be left out with a credential for one tenant, or with the header X-Tenant."
    )


class LiveFilter(OneMessage):
    """What is watched: a tenant's messages, or one of them."""

    message_id: Annotated[str | None, Field(max_length=69)] = None


class CredentialTrial(Body):
    """Credentials to test in place of the stored ones; nothing is stored. An absent name is tested as it is stored."""

    credentials: Credentials | None = None


class HealthOf(Body):
    """The SMS configurations whose health is read: ids separated by commas, 100 at most."""

    ids: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}(,[A-Za-z0-9_-]{1,64}){0,99}$")]


class ParkedFilter(Body):
    """Which parked messages, the oldest first."""

    model_config = ConfigDict(strict=False)

    code: Annotated[str | None, Field(max_length=64)] = None
    skip: Annotated[int, Field(ge=0, le=100_000)] = 0
    top: Annotated[int, Field(ge=1, le=100)] = 100


ParkedId = Annotated[str, Field(min_length=1, max_length=255)]


class ParkedChoice(Body):
    """Parked messages by their ids."""

    ids: Annotated[list[ParkedId], Field(min_length=1, max_length=100)]


class Replay(ParkedChoice):
    """What to send back to where it came from."""

    tenant_id: Reference | None = Field(
        default=None,
        description="Only inbound texts to numbers of this tenant, by whatever webhook they came; for who sees all "
        "tenants and knows that they are real.",
    )


def parse(model: type[M], given: JsonObject, stored: Mapping[str, Any] | None = None) -> M:
    """Return `given` as a `model`. Raises Invalid with a message for every wrong field, never repeating any input.

    A text that equals the field's value in `stored` is accepted as it is: it was checked by the rules of its time.
    """
    try:
        return model.model_validate(given, context=stored)
    except ValidationError as error:
        raise invalid(error) from None


def merge(model: type[M], given: JsonObject, *, base: Mapping[str, Any], view: Mapping[str, Any]) -> M:
    """Return `base` with `given` over it, as a `model`, for an update.

    A read-only field may be sent with its value from `view`, so that a client can send back the object that it read.
    """
    errors: list[FieldProblem] = []
    writable: JsonObject = dict(base)
    for field, value in given.items():
        if field in model.model_fields or field not in view:
            writable[field] = value
        elif value != view[field]:
            errors.append(FieldProblem(field=field, message="can only be read"))
    if errors:
        raise Invalid(errors)
    stored = {field: trimmed(value) for field, value in {**view, **base}.items() if isinstance(value, str)}
    return parse(model, writable, stored)
