"""Checks tenants and SMS configurations, as far as that is possible from outside. Pure."""

from collections.abc import Iterable

from smsgw.access.http_api import JsonObject
from smsgw.doctor.findings import Finding, fail, ok, warn


def of_configs(configs: Iterable[JsonObject]) -> Iterable[Finding]:
    """Check each SMS configuration; warn if there is none."""
    seen = False
    for config in configs:
        seen = True
        yield _of_config(config)
    if not seen:
        yield warn("configurations", "there are none", "Add a tenant, a trunk and an SMS configuration.")


def _of_config(config: JsonObject) -> Finding:
    part = f"config {config['tenant_id']}/{config['name']}"
    if config["webhook"] is None:
        return fail(
            part, "its webhook URL cannot be decrypted", "Bring back the key ring's old entry, or rotate the webhook."
        )
    if config["missing"]:
        return fail(
            part,
            f"a draft: {', '.join(config['missing'])} missing",
            "Add what is missing; nothing is sent through it until then.",
        )
    if not config["enabled"]:
        return warn(part, "disabled", "Enable it if texts are to go through it.")
    if config["callback"] is None:
        return warn(
            part,
            "active, its webhook asks for no user and password",
            "Set callback credentials here and in the carrier's application.",
        )
    return ok(part, "active, credentials and callback are set")


def of_tenants(tenants: Iterable[JsonObject], configs: Iterable[JsonObject]) -> Iterable[Finding]:
    """Name tenants whose requests would be refused unless they name a configuration themselves."""
    counts: dict[str, int] = {}
    for config in configs:
        counts[config["tenant_id"]] = counts.get(config["tenant_id"], 0) + 1
    for tenant in tenants:
        count = counts.get(tenant["id"], 0)
        if not count:
            yield warn(
                f"tenant {tenant['id']}", "has no SMS configuration", "Add one; every request is rejected until then."
            )
        elif count > 1 and tenant["default_config_id"] is None:
            said = f"has {count} SMS configurations and no default"
            yield warn(f"tenant {tenant['id']}", said, "Set its default, or let every request name one.")
