"""Tenants' rules in the dispatcher's snapshot. Tenants without rules are left out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

import orjson
import structlog
from pydantic import BaseModel, ValidationError

from sms_common.configuration import TenantRules
from sms_common.input.pasted import entries
from sms_common.rules import Extension, InboundRule, OutboundRule, Permission, Schedule
from sms_common.rules.masks import is_comparable
from sms_common.rules.writing import current
from sms_config.model.records import Record, TenantRecord
from sms_config.model.rule_records import AnyRuleRecord, ExtensionRecord, InboundRuleRecord, OutboundRuleRecord
from sms_config.storage.store_protocol import Everything

_log = structlog.get_logger()
K = TypeVar("K", InboundRuleRecord, OutboundRuleRecord, ExtensionRecord)
M = TypeVar("M", bound=BaseModel)
_Stamp = tuple[str, int, datetime]


class RuleFragments:
    """Renders every tenant's rules as JSON. Only tenants that changed are rendered again."""

    def __init__(self, encode: Callable[[Any], Any]) -> None:
        self._encode = encode
        self._kept: dict[str, tuple[tuple[_Stamp, ...], bytes]] = {}

    def of(self, everything: Everything) -> list[orjson.Fragment]:
        """Return the TenantRules of every tenant that has rules or settings for them."""
        kept: dict[str, tuple[tuple[_Stamp, ...], bytes]] = {}
        for rules in _of_tenants(everything):
            stamps = rules.stamps()
            known = self._kept.get(rules.tenant.id)
            if known is None or known[0] != stamps:
                known = stamps, orjson.dumps(rules.rendered().model_dump(), default=self._encode)
            kept[rules.tenant.id] = known
        self._kept = kept
        return [orjson.Fragment(rendered) for _, rendered in kept.values()]


@dataclass(frozen=True, slots=True)
class _TenantRecords:
    """The stored rules of one tenant."""

    tenant: TenantRecord
    inbound: Sequence[InboundRuleRecord]
    outbound: Sequence[OutboundRuleRecord]
    extensions: Sequence[ExtensionRecord]

    def stamps(self) -> tuple[_Stamp, ...]:
        """Differs whenever a record does. A restored backup may bring back a version, but not its time."""
        records: Iterable[Record] = (self.tenant, *self.inbound, *self.outbound, *self.extensions)
        return tuple((record.id, record.version, record.updated_at) for record in records)

    def rendered(self) -> TenantRules:
        """Return the rules as the dispatcher holds them. The age of a rule is its place among its tenant's rules."""
        return TenantRules(
            tenant_id=self.tenant.id,
            schedule=schedule(self.tenant),
            inbound=_built(InboundRule, (_in_current_form(rule, self.tenant.country) for rule in self.inbound)),
            outbound=_built(OutboundRule, self.outbound),
            extensions=_built(Extension, self.extensions),
            blocked_senders=_comparable(current(self.tenant.blocked_senders, self.tenant.country), self.tenant.id),
            unlisted_extensions=self.tenant.unlisted_extensions,
        )


def _of_tenants(everything: Everything) -> Iterator[_TenantRecords]:
    inbound = _by_tenant(everything.inbound_rules)
    outbound = _by_tenant(everything.outbound_rules)
    extensions = _by_tenant(everything.extensions)
    for tenant in everything.tenants:
        own = inbound.get(tenant.id, ()), outbound.get(tenant.id, ()), extensions.get(tenant.id, ())
        if any(own) or _has_settings(tenant):
            yield _TenantRecords(tenant, *own)


def _has_settings(tenant: TenantRecord) -> bool:
    refuses = tenant.unlisted_extensions is not Permission.ALLOW_WITH_SENDER_ID
    return bool(tenant.blocked_senders or tenant.hours or tenant.holidays or refuses)


def _in_current_form(rule: InboundRuleRecord, country: str) -> InboundRuleRecord:
    """Return a rule with its masks in the present form: an earlier release stored national patterns as typed."""
    numbers = {"did_numbers": current(rule.did_numbers, country), "caller_mask": current(rule.caller_mask, country)}
    return rule.model_copy(update=numbers)


def _comparable(blocked: str, tenant_id: str) -> str:
    """Return the blocked senders without entries that cannot be compared: these must not disable the others."""
    kept = [entry for entry in entries(blocked) if is_comparable(entry)]
    if len(kept) < len(entries(blocked)):
        _log.error("blocked_senders.unusable", tenant_id=tenant_id, entries=len(entries(blocked)) - len(kept))
    return ";".join(kept)


def schedule(tenant: TenantRecord) -> Schedule:
    """Return a tenant's schedule in the form that rules use."""
    holidays = frozenset(date.fromisoformat(day) for day in tenant.holidays)
    return Schedule(time_zone=tenant.time_zone or "UTC", hours=tenant.hours, holidays=holidays)


def _by_tenant(records: Iterable[K]) -> Mapping[str, list[K]]:
    """Group records by tenant, in the order in which they were read: oldest first."""
    grouped: dict[str, list[K]] = {}
    for record in records:
        grouped.setdefault(record.tenant_id, []).append(record)
    return grouped


def _built(model: Callable[..., M], records: Iterable[AnyRuleRecord]) -> tuple[M, ...]:
    """Return stored rules in the rule engine's form. A rule that the engine refuses is left out: it must not affect the
    other rules, or other tenants.
    """
    built: list[M] = []
    for age, record in enumerate(records):
        try:
            built.append(model(**{name: getattr(record, name) for name in type(record).model_fields}, age=age))
        except ValidationError as error:
            _log.error("rule.unusable", tenant_id=record.tenant_id, rule_id=record.id, errors=error.error_count())
    return tuple(built)
