"""What an administrator configures, as the services see it: snapshots of tenants, trunks and SMS configurations.

The config service renders these; ingress and dispatcher hold one of each in memory and ask it questions. No I/O.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from sms_common.input.patterns import ID_PATTERN
from sms_common.phone import NumberPool, normalise
from sms_common.rules import (
    Extension,
    InboundRule,
    InboundRules,
    NumberMask,
    OutboundRule,
    OutboundRules,
    Permission,
    Schedule,
    extension_form,
)

# Ids travel in routing keys and queue names, so they hold neither dots nor wildcards.
Identifier = Annotated[str, Field(pattern=ID_PATTERN)]

DEFAULT_PBX = "main"


class FailurePolicy(StrEnum):
    """What to do with a message whose carrier answer was lost.

    hold: never send again, wait for the receipt. resend: send again, marked as a possible duplicate. fail: tell the
    PBX at once.
    """

    HOLD = "hold"
    RESEND = "resend"
    FAIL = "fail"


def _policy(value: object) -> object:
    """`at_least_once` is the name a messaging person knows `resend` by."""
    return FailurePolicy.RESEND if value == "at_least_once" else value


FailurePolicyField = Annotated[FailurePolicy, BeforeValidator(_policy)]


class _Snapshot(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", ignored_types=(cached_property,))


class WebhookToken(_Snapshot):
    """A webhook URL token by its SHA-256 (hex): ingress recognises a token without knowing any. None: valid for
    ever.
    """

    sha256: str
    valid_until: datetime | None = None


class CallbackCredentials(_Snapshot):
    """The Basic user and password the carrier must present at the webhook."""

    username: str
    password: SecretStr


class WebhookEndpoint(_Snapshot):
    """One configuration as ingress sees it: who may call, and nothing that could send."""

    config_id: Identifier
    tenant_id: Identifier
    carrier: str
    tokens: tuple[WebhookToken, ...]
    callback: CallbackCredentials | None = None


class IngressSnapshot(_Snapshot):
    """Everything ingress needs to know. `version` is the ETag's content."""

    version: str
    endpoints: tuple[WebhookEndpoint, ...] = ()

    @cached_property
    def _by_token(self) -> Mapping[tuple[str, str], tuple[WebhookEndpoint, WebhookToken]]:
        return {(e.carrier, token.sha256): (e, token) for e in self.endpoints for token in e.tokens}

    def endpoint(self, carrier: str, token: str, now: datetime) -> WebhookEndpoint | None:
        """The endpoint a webhook URL belongs to, or None for a token nobody owns or whose grace period is over."""
        found = self._by_token.get((carrier, token_digest(token)))
        if found is None:
            return None
        endpoint, known = found
        return endpoint if known.valid_until is None or now < known.valid_until else None


def token_digest(token: str) -> str:
    """SHA-256 of a webhook token, hex: what is stored and compared instead of the token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Tenant(_Snapshot):
    """A customer of the PBX. `country` (ISO 3166 alpha-2) reads national numbers, `foreign_without_plus` also those of
    other countries without their plus; `pbx_id` names the queue pair it is served by.
    """

    id: Identifier
    name: str = ""
    country: str = "US"
    foreign_without_plus: bool = False
    pbx_id: Identifier = DEFAULT_PBX
    default_config_id: str | None = None

    def number(self, written: str) -> str:
        """A number as somebody of this tenant means it: see `phone.normalise`. Raises InvalidNumber."""
        return normalise(written, self.country, foreign_without_plus=self.foreign_without_plus)


class DidPool(_Snapshot):
    """The numbers of one trunk that belong to one tenant, in NumberPool's text form; no two pools overlap."""

    tenant_id: Identifier
    trunk_id: Identifier
    numbers: str

    @cached_property
    def pool(self) -> NumberPool:
        """The parsed pool."""
        return NumberPool.parse(self.numbers, "US")


class PaceLimits(_Snapshot):
    """How fast a configuration may send, counted in segments; None: as fast as the carrier takes them.

    `burst` segments may leave at once. What is shared counts for every configuration that names it too and whose trunk
    has the same owner, or which proves to have the same account: the account (by the carrier's account id), the 10DLC
    campaign, and the brand, whose day begins at midnight Pacific; of several limits of one name the lowest holds.
    """

    segments_per_second: Annotated[float | None, Field(gt=0, le=10_000)] = None
    burst: Annotated[int, Field(ge=1, le=10_000)] = 1
    number_segments_per_minute: Annotated[float | None, Field(gt=0, le=600_000)] = None
    account_segments_per_second: Annotated[float | None, Field(gt=0, le=10_000)] = None
    campaign_id: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    campaign_segments_per_minute: Annotated[float | None, Field(gt=0, le=600_000)] = None
    brand_id: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    brand_segments_per_day: Annotated[int | None, Field(gt=0, le=1_000_000_000)] = None


class SendingFields(BaseModel):
    """What an administrator sets of an SMS configuration and the dispatcher sends by.

    A field is declared here, or in `SmsConfigFields`, and nowhere else: the stored record, the API, the lists, the
    dispatcher's snapshot, the portal's form and the command line take it from here. `title` and `description` are the
    portal's label and hint. The first of `examples` is the value that a test follows to all these places.
    """

    name: str = Field(title="Name", examples=["Front desk"])
    enabled: bool = Field(default=True, title="Enable", examples=[False])
    sender_id: str | None = Field(
        default=None,
        title="Sender ID",
        description="A number of the trunk. Empty: the trunk's default number.",
        examples=["+12015550142"],
    )
    failure_policy: FailurePolicyField = Field(
        default=FailurePolicy.HOLD, title="When the carrier's answer is lost", examples=["fail"]
    )
    limits: PaceLimits = Field(default=PaceLimits(), title="Limits", examples=[{"segments_per_second": 5, "burst": 3}])


class SmsConfigFields(SendingFields):
    """All that an administrator sets of an SMS configuration, but its trunk and its secrets.

    A field that the dispatcher has no use for belongs here: it does not go into the snapshot.
    """


class SmsConfig(_Snapshot, SendingFields):
    """One sending configuration with its secrets in the clear: only the dispatcher's snapshot holds these.

    `credentials` are the carrier's own names and values; a carrier's folder knows which it needs. `trunk_owner` is the
    tenant whose trunk it is on; None: the system's, which lends it. `account_proved`: it is on a lent trunk, and the
    carrier has accepted these very credentials for the lender's account, so its webhook speaks for every borrower.
    """

    id: Identifier
    tenant_id: Identifier
    name: str = ""
    carrier: str
    trunk_id: Identifier
    trunk_owner: Identifier | None = None
    brand: str = ""
    default_did: str | None = None
    credentials: Mapping[str, SecretStr] = Field(default_factory=dict)
    account_proved: bool = False


class TenantRules(_Snapshot):
    """A tenant's clock, rules, extensions and blocked senders, compiled once for each snapshot.

    `unlisted_extensions` is what holds for an extension that is not among `extensions`.
    """

    tenant_id: Identifier
    schedule: Schedule = Schedule()
    inbound: tuple[InboundRule, ...] = ()
    outbound: tuple[OutboundRule, ...] = ()
    extensions: tuple[Extension, ...] = ()
    blocked_senders: str = ""
    unlisted_extensions: Permission = Permission.ALLOW_WITH_SENDER_ID

    @cached_property
    def inbound_rules(self) -> InboundRules:
        """The inbound rules, ready to decide."""
        return InboundRules(self.inbound, self.schedule, NumberMask.parse(self.blocked_senders))

    @cached_property
    def outbound_rules(self) -> OutboundRules:
        """The outbound rules, ready to decide."""
        return OutboundRules(self.outbound, self.schedule)

    @cached_property
    def _extensions(self) -> Mapping[str, Extension]:
        return {extension_form(extension.extension): extension for extension in _strictest_last(self.extensions)}

    @cached_property
    def _without_leading_zeros(self) -> Mapping[str, Extension]:
        numbered = [extension for extension in self.extensions if extension_form(extension.extension).isdecimal()]
        return {extension_form(one.extension).lstrip("0"): one for one in _strictest_last(numbered)}

    def extension(self, extension: str) -> Extension | None:
        """What holds for an extension; None: it is not listed, and such may send as any of the tenant's numbers.

        It is found however it is written (`"109 "`), and with more or fewer zeros before it unless that is listed too.
        """
        form = extension_form(extension)
        listed = self._extensions.get(form)
        if listed is None and form.isdecimal():
            listed = self._without_leading_zeros.get(form.lstrip("0"))
        if listed is None and self.unlisted_extensions is not Permission.ALLOW_WITH_SENDER_ID:
            return Extension(extension=extension, permission=self.unlisted_extensions, listed=False)
        return listed


def _strictest_last(extensions: Iterable[Extension]) -> list[Extension]:
    """In an order in which, of those that are written alike, the last is one that may not send, if one is there."""
    return sorted(extensions, key=lambda extension: extension.permission is Permission.DISABLE)


@lru_cache(maxsize=10_000)
def _without_rules(tenant_id: str) -> TenantRules:
    return TenantRules(tenant_id=tenant_id)


class DispatcherSnapshot(_Snapshot):
    """Everything the dispatcher needs to know. `retired_config_ids` still have lanes whose messages must end."""

    version: str
    tenants: tuple[Tenant, ...] = ()
    pools: tuple[DidPool, ...] = ()
    configs: tuple[SmsConfig, ...] = ()
    retired_config_ids: tuple[str, ...] = ()
    rules: tuple[TenantRules, ...] = ()

    @cached_property
    def _rules(self) -> Mapping[str, TenantRules]:
        return {rules.tenant_id: rules for rules in self.rules}

    @cached_property
    def _tenants(self) -> Mapping[str, Tenant]:
        return {tenant.id: tenant for tenant in self.tenants}

    @cached_property
    def _configs(self) -> Mapping[str, SmsConfig]:
        return {config.id: config for config in self.configs}

    @cached_property
    def _configs_by_tenant(self) -> Mapping[str, tuple[SmsConfig, ...]]:
        grouped: dict[str, list[SmsConfig]] = {}
        for config in self.configs:
            grouped.setdefault(config.tenant_id, []).append(config)
        return {tenant_id: tuple(configs) for tenant_id, configs in grouped.items()}

    @cached_property
    def _with_choice_of_senders(self) -> frozenset[str]:
        numbers: dict[str, int] = {}
        for pool in self.pools:
            held = sum(last - first + 1 for first, last in pool.pool.spans)
            numbers[pool.tenant_id] = numbers.get(pool.tenant_id, 0) + held
        named = {
            config.tenant_id for config in self.configs if config.sender_id and config.sender_id != config.default_did
        }
        return frozenset(tenant_id for tenant_id, held in numbers.items() if held > 1 or tenant_id in named)

    @cached_property
    def _did_index(self) -> "DidIndex":
        return DidIndex(self.pools)

    def tenant(self, tenant_id: str) -> Tenant | None:
        """The tenant of that id, or None."""
        return self._tenants.get(tenant_id)

    def rules_of(self, tenant_id: str) -> TenantRules:
        """A tenant's rules; one without any decides as if it had an empty set."""
        return self._rules.get(tenant_id) or _without_rules(tenant_id)

    def config(self, config_id: str) -> SmsConfig | None:
        """The configuration of that id, whoever's it is, or None."""
        return self._configs.get(config_id)

    def configs_of(self, tenant_id: str) -> tuple[SmsConfig, ...]:
        """A tenant's configurations, oldest first."""
        return self._configs_by_tenant.get(tenant_id, ())

    def has_choice_of_senders(self, tenant_id: str) -> bool:
        """Whether the tenant has a number and something else to send as, so that a conversation can decide."""
        return tenant_id in self._with_choice_of_senders

    def owner_of(self, did: str) -> DidPool | None:
        """The pool that holds an E.164 number, or None for a number nobody owns."""
        return self._did_index.find(did)


class DidIndex:
    """Finds the one pool that holds a number among thousands of pools, by binary search over their disjoint ranges."""

    def __init__(self, pools: tuple[DidPool, ...]) -> None:
        spans = sorted((first, last, n) for n, pool in enumerate(pools) for first, last in pool.pool.spans)
        self._starts = [span[0] for span in spans]
        self._spans = spans
        self._pools = pools

    def find(self, did: str) -> DidPool | None:
        """The pool holding the E.164 number `did`, or None. Anything that is not plus and digits belongs to nobody."""
        digits = did.removeprefix("+")
        if not digits.isascii() or not digits.isdigit():
            return None
        number = int(digits)
        place = bisect_right(self._starts, number) - 1
        if place < 0 or number > self._spans[place][1]:
            return None
        return self._pools[self._spans[place][2]]
