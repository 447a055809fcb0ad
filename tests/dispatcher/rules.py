"""Rules for the dispatcher's tests: a tenant with two trunks, and hours that are over at noon."""

from datetime import time
from typing import Any

from sms_common.configuration import DidPool, DispatcherSnapshot, TenantRules
from sms_common.rules import OutboundRule, RuleRoute, Schedule, WeeklyHours
from sms_common.rules.hours import Span
from tests.dispatcher.builders import config, snapshot

BACKUP_DID = "+16175550101"
POOLS = (
    DidPool(tenant_id="acme", trunk_id="trunk", numbers="+12025550140-+12025550149"),
    DidPool(tenant_id="acme", trunk_id="backup", numbers="+16175550100-+16175550109"),
    DidPool(tenant_id="other", trunk_id="trunk2", numbers="+13035550100"),
)
MAIN = config()
BACKUP = config(id="backup", trunk_id="backup", default_did=BACKUP_DID)
# The tests' clock stands at noon in UTC on Tuesday, 24 November 2026.
_MORNING = (Span(opens=time(8), closes=time(12)),)
MORNINGS = Schedule(hours=WeeklyHours(tuesday=_MORNING, wednesday=_MORNING))


def rule(*routes: RuleRoute | str, **changes: Any) -> OutboundRule:
    """An outbound rule for every recipient, whose routes may be given by their configuration's id."""
    ways = tuple(RuleRoute(config_id=route) if isinstance(route, str) else route for route in routes)
    return OutboundRule(
        **{"id": "r1", "name": "One", "prefixes": "+", "routes": ways or (RuleRoute(config_id="cfg"),), **changes}
    )


def ruled(*rules: OutboundRule, configs: Any = (MAIN, BACKUP), **changes: Any) -> DispatcherSnapshot:
    """Both trunks with these outbound rules, and what else is named of the tenant's rules."""
    of_acme = TenantRules(**{"tenant_id": "acme", "outbound": rules, **changes})
    return snapshot(*configs, pools=POOLS, rules=(of_acme,))
