"""`smsgw explain`: asks the gateway how it would handle a text, without sending one."""

from collections.abc import Collection
from typing import Annotated, Any

import typer

from sms_common.messages import Category, MsgType
from smsgw.access import gateway
from smsgw.access.http_api import ApiRefusal, JsonObject, ServiceApi
from smsgw.commands.send import extension_of
from smsgw.terminal import output
from smsgw.terminal.options import Json, PastedCommand, Tenant
from smsgw.terminal.running import FAILED, Failure, run

At = Annotated[
    str | None, typer.Option(help="At this time, such as 2026-05-04T20:00:00Z; now by default.", show_default=False)
]

app = typer.Typer(no_args_is_help=True, help="Show what would happen to a text, and why.")

_NO_ADDRESS = 404
_NO_METHOD = 405
_MOST_LEVELS = 8


@app.command(cls=PastedCommand)
def outbound(  # noqa: PLR0913  # each is a field of the request
    ctx: typer.Context,
    to: Annotated[str, typer.Argument(help="The recipient's number.")],
    text: Annotated[str, typer.Argument(help="The text; its segments are counted.")] = "",
    *,
    tenant: Tenant = None,
    extension: Annotated[
        str | None, typer.Option("--extension", "-e", help="The sender's extension.", show_default=False)
    ] = None,
    sender: Annotated[str | None, typer.Option("--from", help="The sender's number.", show_default=False)] = None,
    config: Annotated[str | None, typer.Option(help="The SMS configuration's id.", show_default=False)] = None,
    category: Annotated[Category | None, typer.Option(help="The category of the text.", show_default=False)] = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Show the sender, the rule that applies and those that do not, the routes, the lane and the segments.

    The decision is the same as for a real text, but nothing is sent. The exit status is 1 if it would be refused.

    For example:

      smsgw explain outbound +13125550100 "Hello" --tenant acme --extension 101
    """
    access = gateway.of(ctx)
    question = {
        "tenant_id": access.tenant(tenant),
        "extension": extension_of(extension or access.settings.extension),
        "to": to,
        "text": text or None,
        "from": sender,
        "config_id": config,
        "category": category.value if category is not None else None,
        "at": at,
    }
    run(_explain(access, "outbound", question, as_json=as_json))


@app.command(cls=PastedCommand)
def inbound(
    ctx: typer.Context,
    sender: Annotated[str, typer.Argument(help="The number a text would come from.")],
    did: Annotated[str, typer.Argument(help="The number it would be sent to.")],
    channel: Annotated[MsgType, typer.Option(help="SMS or MMS.")] = MsgType.SMS,
    *,
    tenant: Annotated[
        str | None, typer.Option("--tenant", "-t", help="The tenant, when the server asks for it.", show_default=False)
    ] = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Show the tenant that gets it, the rule that applies and those that do not, and the destination.

    For example:

      smsgw explain inbound +13125550100 +12025550143 --at 2026-05-04T20:00:00Z
    """
    access = gateway.of(ctx)
    question = {
        "tenant_id": tenant or access.settings.tenant,
        "sender": sender,
        "did": did,
        "channel": channel.value,
        "at": at,
    }
    run(_explain(access, "inbound", question, as_json=as_json))


async def _explain(access: gateway.Gateway, direction: str, question: JsonObject, *, as_json: bool) -> int:
    asked = {name: value for name, value in question.items() if value is not None}
    async with access.config() as api:
        path = f"/api/v1/explain/{direction}"
        try:
            answer = await api.call("POST", path, asked)
        except ApiRefusal as refused:
            if refused.status in {_NO_ADDRESS, _NO_METHOD} and path not in await _addresses(api):
                reason = f"This server does not explain {direction} texts; a newer config service does."
                raise Failure(reason) from None
            raise
    if as_json:
        output.write_json(answer)
    else:
        for line in _lines(answer):
            output.say(line)
    return FAILED if isinstance(answer, dict) and answer.get("rejection") else 0


async def _addresses(api: ServiceApi) -> Collection[str]:
    """Return the paths that the server has: a 404 may also mean that the tenant does not exist."""
    document = await api.call("GET", "/api/v1/openapi.json")
    paths: dict[str, object] = document["paths"]
    return paths.keys()


def _lines(value: Any, depth: int = 0) -> list[str]:
    """A JSON value as indented lines, without empty values."""
    indent = "  " * depth
    if depth >= _MOST_LEVELS or not isinstance(value, dict | list):
        return [f"{indent}{_word(value)}"]
    lines: list[str] = []
    pairs = (
        value.items() if isinstance(value, dict) else ((f"{place}.", one) for place, one in enumerate(value, start=1))
    )
    for name, one in pairs:
        if one in (None, [], {}, ""):
            continue
        label = str(name).replace("_", " ")
        if isinstance(one, dict | list):
            lines += [f"{indent}{label}", *_lines(one, depth + 1)]
        else:
            lines.append(f"{indent}{label:<12} {_word(one)}")
    return lines


def _word(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
