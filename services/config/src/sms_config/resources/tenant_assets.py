"""The assets of a tenant: its numbers on trunks and its SMS configurations. Rules and extensions may use nothing else,
and nothing that they use can be removed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from sms_common.phone import NumberPool, NumberRange
from sms_common.rules import InvalidMask
from sms_common.rules.writing import ranges
from sms_config.model.problems import FieldProblem, InUse
from sms_config.model.query import Clause, Query
from sms_config.model.records import SmsConfigRecord, TrunkRecord
from sms_config.model.rule_records import AnyRuleRecord, ExtensionRecord, InboundRuleRecord, OutboundRuleRecord
from sms_config.storage.store_protocol import EVERYONE, StoreReader

_NO_CONFIG = "is not an SMS configuration of this tenant"
_MAX_NAMED = 5
_MAX_ERRORS = 50


@dataclass(frozen=True)
class TenantAssets:
    """The pool of a tenant on each of its trunks, and the trunk of each of its SMS configurations, by their ids."""

    pools: Mapping[str, NumberPool]
    trunk_of: Mapping[str, str]

    def with_pool(self, trunk_id: str, pool: NumberPool | None) -> "TenantAssets":
        """Return these assets with another pool on a trunk; None: without the trunk."""
        others = {key: value for key, value in self.pools.items() if key != trunk_id}
        return replace(self, pools=others if pool is None else {**others, trunk_id: pool})

    def with_config(self, config_id: str, trunk_id: str | None) -> "TenantAssets":
        """Return these assets with an SMS configuration on another trunk; None: without it."""
        others = {key: value for key, value in self.trunk_of.items() if key != config_id}
        return replace(self, trunk_of=others if trunk_id is None else {**others, config_id: trunk_id})

    @cached_property
    def _spans(self) -> tuple[NumberRange, ...]:
        """All numbers, with neighbouring ranges merged."""
        spans: list[NumberRange] = []
        for span in sorted(span for pool in self.pools.values() for span in pool):
            if spans and span.first <= spans[-1].last + 1:
                spans[-1] = NumberRange(spans[-1].first, max(spans[-1].last, span.last))
            else:
                spans.append(span)
        return tuple(spans)

    def owns(self, wanted: NumberRange) -> bool:
        """Whether every number of a range is the tenant's, on whatever trunk."""
        return any(span.first <= wanted.first and wanted.last <= span.last for span in self._spans)

    def pool_of_config(self, config_id: str) -> NumberPool:
        """The tenant's numbers on an SMS configuration's trunk."""
        return self.pools.get(self.trunk_of.get(config_id, ""), NumberPool())


async def assets_of(reader: StoreReader, tenant_id: str) -> TenantAssets:
    """Return the assets of a tenant, including trunks that are lent to it."""
    tenancy = frozenset({tenant_id})
    trunks = (await reader.find(TrunkRecord, Query(top=None), tenancy)).items
    configs = (await reader.find(SmsConfigRecord, Query(top=None), tenancy)).items
    pools = {trunk.id: NumberPool.parse(pool.dids, "US") for trunk in trunks if (pool := trunk.pool_of(tenant_id))}
    return TenantAssets(pools, {config.id: config.provider_id for config in configs})


def not_owned(record: AnyRuleRecord, assets: TenantAssets) -> list[FieldProblem]:
    """Return a problem for every field of a rule or an extension that uses what the tenant does not own."""
    match record:
        case InboundRuleRecord():
            return [*_inbound(record, assets)]
        case OutboundRuleRecord():
            return [*_outbound(record, assets)]
        case ExtensionRecord():
            return [*_extension(record, assets)]


def _inbound(rule: InboundRuleRecord, assets: TenantAssets) -> Iterator[FieldProblem]:
    for place, config_id in enumerate(rule.config_ids):
        if config_id not in assets.trunk_of:
            yield FieldProblem(field=f"config_ids.{place}", message=_NO_CONFIG)
    try:
        beyond = [span for span in ranges(rule.did_numbers) if not assets.owns(span)]
    except InvalidMask as invalid:
        yield FieldProblem(field="did_numbers", message=str(invalid))
        return
    if beyond:
        named = ", ".join(str(span) for span in beyond[:_MAX_NAMED])
        more = f" and {len(beyond) - _MAX_NAMED} more" if len(beyond) > _MAX_NAMED else ""
        yield FieldProblem(field="did_numbers", message=f"holds numbers that are not the tenant's: {named}{more}")


def _outbound(rule: OutboundRuleRecord, assets: TenantAssets) -> Iterator[FieldProblem]:
    for place, route in enumerate(rule.routes):
        if route.config_id not in assets.trunk_of:
            yield FieldProblem(field=f"routes.{place}.config_id", message=_NO_CONFIG)
        elif route.caller_id is not None and route.caller_id not in assets.pool_of_config(route.config_id):
            said = "is not one of the tenant's numbers on the trunk of this SMS configuration"
            yield FieldProblem(field=f"routes.{place}.caller_id", message=said)


def _extension(record: ExtensionRecord, assets: TenantAssets) -> Iterator[FieldProblem]:
    for place, caller_id in enumerate(record.caller_ids):
        if caller_id.trunk_id not in assets.pools:
            yield FieldProblem(field=f"caller_ids.{place}.trunk_id", message="is not a trunk of this tenant")
        elif caller_id.number not in assets.pools[caller_id.trunk_id]:
            said = "is not one of the tenant's numbers on this trunk"
            yield FieldProblem(field=f"caller_ids.{place}.number", message=said)


async def check_still_owned(
    reader: StoreReader, tenant_id: str, before: TenantAssets, after: TenantAssets, field: str = ""
) -> None:
    """Raise InUse, naming the rules and extensions, when some would use what the tenant no longer owns.

    `field` is the field of the request that takes it away.
    """
    mine = Query((Clause("tenant_id", "eq", (tenant_id,)),), top=None)
    records: list[AnyRuleRecord] = [
        *(await reader.find(InboundRuleRecord, mine, EVERYONE)).items,
        *(await reader.find(OutboundRuleRecord, mine, EVERYONE)).items,
        *(await reader.find(ExtensionRecord, mine, EVERYONE)).items,
    ]
    lost = {record.label: _new(not_owned(record, before), not_owned(record, after)) for record in records}
    lost = {label: errors for label, errors in lost.items() if errors}
    if lost:
        raise InUse(f"It is used by the {_listed(lost)}; change or delete these first.", _details(lost, field))


def _new(before: Iterable[FieldProblem], after: Iterable[FieldProblem]) -> list[FieldProblem]:
    known = set(before)
    return [error for error in after if error not in known]


def _listed(labels: Iterable[str]) -> str:
    names = list(labels)
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


def _details(lost: Mapping[str, list[FieldProblem]], field: str) -> list[FieldProblem]:
    details = [
        FieldProblem(field=field, message=f"is used by the {label}: its field {error.field} then {error.message}")
        for label, errors in lost.items()
        for error in errors
    ]
    return details[:_MAX_ERRORS]
