"""What one decision costs with 10,000 rules over 1,000 tenants: python benchmarks/rules.py"""

import statistics
import time
from datetime import UTC, datetime

from sms_common.configuration import DispatcherSnapshot, TenantRules
from sms_common.messages import Category, MsgType
from sms_common.rules import Action, InboundQuery, InboundRule, OutboundQuery, OutboundRule, RuleRoute

TENANTS, RULES = 1_000, 5
NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)


def tenant(number: int) -> TenantRules:
    inbound = tuple(
        InboundRule(
            id=f"i{n}",
            did_numbers=f"1202{number:04}{n}00-1202{number:04}{n}99",
            caller_mask="1404*******" if n % 2 else "",
            office=Action(destination="100-199"),
        )
        for n in range(RULES)
    )
    outbound = tuple(
        OutboundRule(id=f"o{n}", prefixes=f"1{n}0;44", extensions="100-199", routes=(RuleRoute(config_id="c"),))
        for n in range(RULES)
    )
    return TenantRules(tenant_id=f"t{number}", inbound=inbound, outbound=outbound)


def main() -> None:
    snapshot = DispatcherSnapshot(version="1", rules=tuple(tenant(n) for n in range(TENANTS)))
    inbound, outbound = [], []
    for turn in range(2):
        for n in range(TENANTS):
            asked_in = InboundQuery("+14045550121", f"+1202{n:04}312", MsgType.SMS, "c", NOW)
            asked_out = OutboundQuery("+14045550121", "105", Category.CONVERSATIONAL, NOW, f"m{n}")
            start = time.perf_counter()
            snapshot.rules_of(f"t{n}").inbound_rules.decide(asked_in)
            middle = time.perf_counter()
            snapshot.rules_of(f"t{n}").outbound_rules.decide(asked_out)
            if turn:
                inbound.append((middle - start) * 1e6)
                outbound.append((time.perf_counter() - middle) * 1e6)
    for name, costs in (("inbound", inbound), ("outbound", outbound)):
        print(f"{name}: median {statistics.median(costs):.1f} us, p99 {statistics.quantiles(costs, n=100)[98]:.1f} us")


if __name__ == "__main__":
    main()
