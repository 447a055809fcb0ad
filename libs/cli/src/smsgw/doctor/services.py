"""Checks the three services: whether they are ready, their clocks, and the age of the configuration they use."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from smsgw.doctor.findings import Finding, fail, ok, warn

_SNAPSHOT_AGE = "smsgw_config_snapshot_age_seconds"
_OLDEST_SNAPSHOT = 120.0
_SKEW_TOLD, _SKEW_HARMFUL = 5.0, 60.0
_READY = (200, 503)

_ADVICE: Mapping[str, str] = {
    "broker": "See whether RabbitMQ runs, and this service's AMQP_URL.",
    "store": "See whether MongoDB runs as a replica set, and this service's MONGO_URL.",
    "configuration": "See whether the config service runs, and this service's CONFIG_URL and CONFIG_TOKEN.",
    "process": "Wait until it has started again.",
}


@dataclass(frozen=True, slots=True)
class CheckedService:
    """The address of a service's internal port. `variable` is the setting with that address."""

    name: str
    base: str
    variable: str


@dataclass(slots=True)
class _ServiceAnswer:
    """What a service answered."""

    status: int
    ahead: float | None
    checks: Mapping[str, str] = field(default_factory=dict)


async def findings(http: aiohttp.ClientSession, service: CheckedService) -> list[Finding]:
    """Check one service."""
    try:
        visit = await _visit(http, service)
        age = await _snapshot_age(http, service) if visit.status in _READY else None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        why = f"cannot be reached at {service.base} ({type(error).__name__})"
        return [fail(service.name, why, f"Start it, or correct {service.variable}.")]
    if visit.status not in _READY or not visit.checks:
        return [
            fail(
                service.name, f"{service.base} answers {visit.status}, not as a service", f"Correct {service.variable}."
            )
        ]
    found = [
        ok(f"{service.name} {name}", "ready")
        if said == "ok"
        else fail(f"{service.name} {name}", said, _ADVICE.get(name, "Read the service's log."))
        for name, said in visit.checks.items()
    ]
    found += _clock(service, visit.ahead)
    return [*found, *_snapshot(service, age)] if "configuration" in visit.checks else found


async def _visit(http: aiohttp.ClientSession, service: CheckedService) -> _ServiceAnswer:
    before = time.time()
    async with http.get(f"{service.base}/readyz", allow_redirects=False) as answer:
        middle = (before + time.time()) / 2
        body = await answer.json() if answer.content_type == "application/json" else {}
        checks = body.get("checks", {}) if isinstance(body, dict) else {}
        return _ServiceAnswer(answer.status, _ahead(answer.headers.get("Date"), middle), checks)


def _ahead(date: str | None, now: float) -> float | None:
    """How many seconds the service's clock is ahead of ours; its header has whole seconds only."""
    try:
        return parsedate_to_datetime(date).timestamp() + 0.5 - now if date else None
    except ValueError:
        return None


async def _snapshot_age(http: aiohttp.ClientSession, service: CheckedService) -> float | None:
    async with http.get(f"{service.base}/metrics", allow_redirects=False) as answer:
        text = await answer.text()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return next((sample.value for sample in samples if sample.name == _SNAPSHOT_AGE), None)


def _clock(service: CheckedService, ahead: float | None) -> list[Finding]:
    if ahead is None or abs(ahead) < _SKEW_TOLD:
        return []
    said = f"its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    finding = fail if abs(ahead) >= _SKEW_HARMFUL else warn
    return [finding(f"{service.name} clock", said, "Let NTP set the clocks of both machines.")]


def _snapshot(service: CheckedService, age: float | None) -> list[Finding]:
    if age is None:
        return []
    part = f"{service.name} snapshot"
    if age > _OLDEST_SNAPSHOT:
        said = "it has never had a configuration" if age == float("inf") else f"its configuration is {age:.0f} s old"
        return [
            fail(part, said, "See whether the config service is ready, and this service's CONFIG_URL and CONFIG_TOKEN.")
        ]
    return [ok(part, f"confirmed {age:.0f} s ago")]
