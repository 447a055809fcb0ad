"""The command: runs all checks and prints one table."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from smsgw.access import gateway
from smsgw.access.http_api import ApiRefusal, JsonObject, session
from smsgw.doctor import broker, configs, services, webhooks
from smsgw.doctor import trials as trials_of_configs
from smsgw.doctor.findings import Finding, Level, fail, ok
from smsgw.doctor.services import CheckedService
from smsgw.terminal import output
from smsgw.terminal.options import Json
from smsgw.terminal.output import counted
from smsgw.terminal.running import FAILED, OK, Failure, run

_UNKNOWN_KEY, _FORBIDDEN = 401, 403


def doctor(
    ctx: typer.Context,
    *,
    trials: Annotated[
        bool, typer.Option("--trials", help="Also try each configuration's credentials and webhook; nothing is sent.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check every part of the gateway and say what to do.

    These are RabbitMQ (connection, topology, readers, parked messages), the services with their databases,
    configuration and clocks, the API key, every SMS configuration and its health, and the public webhook address with
    its certificate. The exit status is 1 if a check fails; warnings leave it 0.

    For example:

      smsgw doctor

      smsgw doctor --trials

      smsgw --env-file /etc/smsgw.env doctor --json
    """
    run(_doctor(gateway.of(ctx), tried=trials, as_json=as_json))


async def _doctor(access: gateway.Gateway, *, tried: bool, as_json: bool) -> int:
    found = await examine(access, tried=tried)
    if as_json:
        rows = [{"level": one.level, "part": one.part, "said": one.said, "do": one.do} for one in found]
        output.write_json({"findings": rows, "worst": _worst(found)})
    else:
        output.table(("", "part", "found", "do"), ((one.level.value, one.part, one.said, one.do) for one in found))
        counts = (f"{sum(one.level is level for one in found)} {level.value}" for level in Level)
        output.say(", ".join(counts))
    return FAILED if _worst(found) is Level.FAIL else OK


async def examine(access: gateway.Gateway, *, tried: bool = False) -> list[Finding]:
    """Return all findings, part by part; with `tried` also those of trials of configurations."""
    settings = access.settings
    visited = [
        CheckedService("config", settings.config_url, "SMSGW_CONFIG_URL"),
        CheckedService("dispatcher", settings.dispatcher_url, "SMSGW_DISPATCHER_URL"),
        CheckedService("ingress", settings.ingress_url, "SMSGW_INGRESS_URL"),
    ]
    async with session(settings.timeout, settings.ca_file) as http:
        key, tenants, stored = await _configured(access)
        working = [config for config in stored if config["enabled"] and not config["missing"]]
        active = [config["id"] for config in working]
        internal = await asyncio.gather(
            broker.findings(access, active, [one["id"] for one in tenants], [one["pbx_id"] for one in tenants]),
            *(services.findings(http, service) for service in visited),
        )
        addresses = webhooks.addresses(config["webhook"] for config in stored)
        public = await asyncio.gather(*(webhooks.findings(http, one, settings.ca_file) for one in addresses))
    configured = [] if key.level is Level.FAIL else [*configs.of_configs(stored), *configs.of_tenants(tenants, stored)]
    health = [] if key.level is Level.FAIL else await _health(access, working, tried=tried)
    return [*_joined(internal), key, *configured, *health, *_joined(public)]


async def _health(access: gateway.Gateway, working: Sequence[JsonObject], *, tried: bool) -> list[Finding]:
    """Check the health of active configurations."""
    try:
        async with access.config() as api:
            found = await trials_of_configs.health(api, working)
            return [*found, *await trials_of_configs.trials(api, working)] if tried else found
    except Failure as failure:
        return [fail("health", str(failure), "Read the config service's log.")]


async def _configured(access: gateway.Gateway) -> tuple[Finding, list[JsonObject], list[JsonObject]]:
    """Check the API key, and return the tenants and SMS configurations that it shows."""
    try:
        async with access.config() as api:
            tenants, stored = await api.every("/api/v1/tenants"), await api.every("/api/v1/sms")
    except ApiRefusal as refused:
        advice = {
            _UNKNOWN_KEY: "Make an API key and set SMSGW_API_KEY to it.",
            _FORBIDDEN: "The doctor needs an API key with the scope read, config or admin.",
        }
        return fail("API key", str(refused), advice.get(refused.status, "Read the config service's log.")), [], []
    except Failure as failure:
        return fail("API key", str(failure), "Set SMSGW_CONFIG_URL and SMSGW_API_KEY."), [], []
    return (
        ok("API key", f"shows {counted(len(tenants), 'tenant')} and {counted(len(stored), 'SMS configuration')}"),
        tenants,
        stored,
    )


def _joined(groups: Iterable[Sequence[Finding]]) -> list[Finding]:
    return [finding for group in groups for finding in group]


def _worst(found: Iterable[Finding]) -> Level:
    levels = {one.level for one in found}
    return next((level for level in (Level.FAIL, Level.WARN) if level in levels), Level.OK)
