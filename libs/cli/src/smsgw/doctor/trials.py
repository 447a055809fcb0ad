"""Checks the health of SMS configurations: whether webhooks arrive and texts leave; on request it tries both."""

from collections.abc import Iterator, Sequence

from smsgw.access.http_api import ApiRefusal, JsonObject, ServiceApi
from smsgw.doctor.findings import Finding, fail, ok, warn
from smsgw.terminal.output import counted
from smsgw.terminal.running import Failure

# Each trial calls the carrier and the webhook; more than these take too long.
MOST_TRIED = 20
_AT_ONCE = 100
_FORBIDDEN = 403
_TRIALS = {
    "test-credentials": ("credentials", "Correct the credentials of this configuration."),
    "test-webhook": ("webhook", "See docs/codes.md, Test webhook."),
}


async def health(api: ServiceApi, configs: Sequence[JsonObject]) -> list[Finding]:
    """Name those of the active configurations that have problems. Raises Failure."""
    names = {config["id"]: _name(config) for config in configs}
    found: list[Finding] = []
    for ids in _parts(list(names)):
        try:
            answer = await api.call("GET", "/api/v1/sms-health", parameters={"ids": ",".join(ids)})
        except ApiRefusal as refused:
            if refused.not_found:  # a service of an older version
                return []
            raise
        found += [finding for one in answer["items"] if (finding := _health(names[one["config_id"]], one))]
    if names and not found:
        found.append(ok("health", f"webhooks arrive and lanes move for {counted(len(names), 'configuration')}"))
    return found


def _health(name: str, one: JsonObject) -> Finding | None:
    part = f"health of {name}"
    if one["health"] == "failing":
        return fail(part, one["says"], "Try it: smsgw doctor --trials, or the buttons in the portal.")
    if one["health"] == "never_seen":
        return warn(part, one["says"], "Try it: smsgw doctor --trials, or the buttons in the portal.")
    return None


async def trials(api: ServiceApi, configs: Sequence[JsonObject]) -> list[Finding]:
    """Try the credentials and the webhook of each of the first configurations."""
    found: list[Finding] = []
    for config in configs[:MOST_TRIED]:
        for path, (what, do) in _TRIALS.items():
            part = f"{what} of {_name(config)}"
            try:
                answer = await api.call("POST", f"/api/v1/sms/{config['id']}/{path}")
            except ApiRefusal as refused:
                if refused.status == _FORBIDDEN:
                    return [
                        *found,
                        warn("trials", str(refused), "Use an API key with the scope config or admin."),
                    ]
                found.append(warn(part, str(refused), "Try again later."))
            except Failure as failure:
                found.append(warn(part, str(failure), "Try it in the portal, which waits longer."))
            else:
                found.append(_trial(part, answer["steps"], do))
    if len(configs) > MOST_TRIED:
        found.append(
            warn("trials", f"only the first {MOST_TRIED} of {len(configs)} were tried", "Try others in the portal.")
        )
    return found


def _trial(part: str, steps: Sequence[JsonObject], do: str) -> Finding:
    """Return the finding of a trial: the step that failed, the notes of its steps, or the message of its last step."""
    failed = next((step for step in steps if not step["ok"]), None)
    if failed is not None:
        return fail(part, failed["says"], do)
    noted = [step["says"] for step in steps if step["code"] is not None]
    return warn(part, " ".join(noted), "Check whether that is intended.") if noted else ok(part, steps[-1]["says"])


def _name(config: JsonObject) -> str:
    return f"{config['tenant_id']}/{config['name']}"


def _parts(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
