"""Tenants' rules as the dispatcher gets them: only of tenants that have any."""

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
    """Every tenant's rules as JSON; only those of tenants that changed are made anew."""

    def __init__(self, encode: Callable[[Any], Any]) -> None:
        self._encode = encode
        self._kept: dict[str, tuple[tuple[_Stamp, ...], bytes]] = {}

    def of(self, everything: Everything) -> list[orjson.Fragment]:
        """The rules of every tenant that has something to decide by, as TenantRules."""
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
class _OfTenant:
    """What one tenant decides by."""

    tenant: TenantRecord
    inbound: Sequence[InboundRuleRecord]
    outbound: Sequence[OutboundRuleRecord]
    extensions: Sequence[ExtensionRecord]

    def stamps(self) -> tuple[_Stamp, ...]:
        """What differs when anything of it does. A version may come back after a restored backup, its time does not."""
        records: Iterable[Record] = (self.tenant, *self.inbound, *self.outbound, *self.extensions)
        return tuple((record.id, record.version, record.updated_at) for record in records)

    def rendered(self) -> TenantRules:
        """As the dispatcher holds it. A rule's age is its place among its tenant's."""
        return TenantRules(
            tenant_id=self.tenant.id,
            schedule=schedule(self.tenant),
            inbound=_built(InboundRule, (_read_anew(rule, self.tenant.country) for rule in self.inbound)),
            outbound=_built(OutboundRule, self.outbound),
            extensions=_built(Extension, self.extensions),
            blocked_senders=_comparable(current(self.tenant.blocked_senders, self.tenant.country), self.tenant.id),
            unlisted_extensions=self.tenant.unlisted_extensions,
        )


def _of_tenants(everything: Everything) -> Iterator[_OfTenant]:
    inbound = _by_tenant(everything.inbound_rules)
    outbound = _by_tenant(everything.outbound_rules)
    extensions = _by_tenant(everything.extensions)
    for tenant in everything.tenants:
        own = inbound.get(tenant.id, ()), outbound.get(tenant.id, ()), extensions.get(tenant.id, ())
        if any(own) or _has_a_clock(tenant):
            yield _OfTenant(tenant, *own)


def _has_a_clock(tenant: TenantRecord) -> bool:
    refuses = tenant.unlisted_extensions is not Permission.ALLOW_WITH_SENDER_ID
    return bool(tenant.blocked_senders or tenant.hours or tenant.holidays or refuses)


def _read_anew(rule: InboundRuleRecord, country: str) -> InboundRuleRecord:
    """A rule with its masks as they would be kept today: a former version kept national patterns as written."""
    numbers = {"did_numbers": current(rule.did_numbers, country), "caller_mask": current(rule.caller_mask, country)}
    return rule.model_copy(update=numbers)


def _comparable(blocked: str, tenant_id: str) -> str:
    """What is blocked without what cannot even be compared: it must cost the tenant no more than itself."""
    kept = [entry for entry in entries(blocked) if is_comparable(entry)]
    if len(kept) < len(entries(blocked)):
        _log.error("blocked_senders.unusable", tenant_id=tenant_id, entries=len(entries(blocked)) - len(kept))
    return ";".join(kept)


def schedule(tenant: TenantRecord) -> Schedule:
    """A tenant's clock as rules ask it."""
    holidays = frozenset(date.fromisoformat(day) for day in tenant.holidays)
    return Schedule(time_zone=tenant.time_zone or "UTC", hours=tenant.hours, holidays=holidays)


def _by_tenant(records: Iterable[K]) -> Mapping[str, list[K]]:
    """Each tenant's, in the order in which they were read: oldest first."""
    grouped: dict[str, list[K]] = {}
    for record in records:
        grouped.setdefault(record.tenant_id, []).append(record)
    return grouped


def _built(model: Callable[..., M], records: Iterable[AnyRuleRecord]) -> tuple[M, ...]:
    """The engine's form of stored rules. One that it would not take must cost its own tenant a rule and nobody else
    anything.
    """
    built: list[M] = []
    for age, record in enumerate(records):
        try:
            built.append(model(**{name: getattr(record, name) for name in type(record).model_fields}, age=age))
        except ValidationError as error:
            _log.error("rule.unusable", tenant_id=record.tenant_id, rule_id=record.id, errors=error.error_count())
    return tuple(built)
