"""`smsgw messages`: the dispatcher's record of what was sent and received."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from sms_common.messages import Status
from smsgw.access import gateway
from smsgw.access.http_api import ApiRefusal, JsonObject
from smsgw.terminal import output
from smsgw.terminal.options import Json, PastedCommand, Show, Tenant
from smsgw.terminal.running import Failure, run

app = typer.Typer(no_args_is_help=True, help="Look up messages and their statuses.")

_DIRECTIONS = {"in": "IN", "out": "OUT"}


@app.command("list", cls=PastedCommand)
def list_messages(  # noqa: PLR0913  # each narrows the list
    ctx: typer.Context,
    *,
    tenant: Tenant = None,
    number: Annotated[
        str | None, typer.Option("--number", "-n", help="Sent from or to this number.", show_default=False)
    ] = None,
    direction: Annotated[str | None, typer.Option(help="`in` or `out`.", show_default=False)] = None,
    status: Annotated[Status | None, typer.Option(help="Only this status.", show_default=False)] = None,
    config: Annotated[str | None, typer.Option(help="The SMS configuration's id.", show_default=False)] = None,
    since: Annotated[
        str | None, typer.Option(help="From this time on, such as 2026-05-04T00:00:00Z.", show_default=False)
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before this time.", show_default=False)] = None,
    search: Annotated[str | None, typer.Option(help="A message's id, or a number.", show_default=False)] = None,
    top: Annotated[int, typer.Option(help="How many.", min=1, max=100)] = 20,
    skip: Annotated[int, typer.Option(help="How many to skip.", min=0)] = 0,
    show: Show = False,
    as_json: Json = False,
) -> None:
    """List messages, the newest first.

    For example:

      smsgw messages list --tenant acme

      smsgw messages list -t acme --number +13125550100 --since 2026-05-04T00:00:00Z --show

      smsgw messages list -t acme --status failed --json
    """
    if direction is not None and direction.lower() not in _DIRECTIONS:
        raise typer.BadParameter("a direction is `in` or `out`", param_hint="--direction")
    access = gateway.of(ctx)
    asked = {
        "tenant_id": access.tenant(tenant),
        "number": number,
        "direction": _DIRECTIONS[direction.lower()] if direction else None,
        "status": status.value if status else None,
        "config_id": config,
        "since": since,
        "until": until,
        "search": search,
        "top": str(top),
        "skip": str(skip),
    }
    run(_list(access, {name: value for name, value in asked.items() if value}, show=show, as_json=as_json))


@app.command("show", cls=PastedCommand)
def show_message(
    ctx: typer.Context,
    message_id: Annotated[str, typer.Argument(help="The message's id.")],
    *,
    tenant: Tenant = None,
    show: Show = False,
    as_json: Json = False,
) -> None:
    """Show one message with its timeline, and the carrier's code in words.

    For example:

      smsgw messages show 7d1e0c52-3b0a-4b7e-9b43-1a1f6f0f8a01 --tenant acme
    """
    access = gateway.of(ctx)
    run(_show(access, access.tenant(tenant), message_id, show=show, as_json=as_json))


async def _list(access: gateway.Gateway, asked: dict[str, str], *, show: bool, as_json: bool) -> None:
    async with access.dispatcher() as api:
        page = await api.call("GET", "/api/v1/messages", parameters=asked)
    if as_json:
        output.write_json(page if show else {**page, "items": [_masked(item) for item in page["items"]]})
        return
    output.table(
        ("time", "dir", "sender", "receiver", "status", "carrier code", "text", "id"),
        (_row(item, show=show) for item in page["items"]),
    )
    shown = len(page["items"])
    if page["count"] > shown:
        output.note(f"{shown} of {page['count']}; see more with --skip and --top")
    elif not shown:
        output.note("no messages")


def _row(item: JsonObject, *, show: bool) -> tuple[object, ...]:
    return (
        item["time"],
        item["direction"],
        output.number(item["sender"], show=show),
        _numbers(item["recipients"], show=show),
        item["status"],
        (item["error"] or {}).get("carrier_code"),
        _text(item, show=show),
        item["id"],
    )


async def _show(access: gateway.Gateway, tenant: str, message_id: str, *, show: bool, as_json: bool) -> None:
    async with access.dispatcher() as api:
        try:
            item = await api.call("GET", f"/api/v1/messages/{quote(tenant, safe='')}/{quote(message_id, safe='')}")
        except ApiRefusal as refused:
            if refused.not_found:
                raise Failure(f"The tenant {tenant} has no message of this id.") from None
            raise
    if as_json:
        output.write_json(item if show else _masked(item))
        return
    output.pairs(_facts(item, show=show))
    output.say()
    output.table(
        ("when", "status", "what", "carrier code", "in words"), (_step(item, step) for step in item["history"])
    )


def _facts(item: JsonObject, *, show: bool) -> JsonObject:
    error = item["error"] or {}
    return {
        "id": item["id"],
        "part of": item["parent_id"],
        "tenant": item["tenant_id"],
        "direction": f"{item['direction']} {item['msg_type']}",
        "sender": output.number(item["sender"], show=show),
        "receiver": _numbers(item["recipients"], show=show),
        "extension": item["extension"],
        "configuration": item["config_id"],
        "text": _text(item, show=show),
        "segments": item["segments"],
        "status": item["status"],
        "reason": item["reason"],
        "error": error.get("code"),
        "carrier said": " ".join(str(error[name]) for name in ("carrier_code", "carrier_text") if error.get(name)),
        "advice": error.get("advice"),
        "carrier's id": item["provider_msg_id"],
        "attempts": item["attempt"],
        "client's reference": item["client_ref"] if show else output.masked(item["client_ref"]),
    }


def _step(item: JsonObject, step: JsonObject) -> tuple[object, ...]:
    """A line of the timeline. Only the last error is stored in full; of earlier ones only the code is."""
    code, carrier_code = step.get("code"), step.get("carrier_code")
    error = item["error"] or {}
    words = ""
    if code is not None:
        words = code.replace("_", " ")
        if (error.get("code"), error.get("carrier_code")) == (code, carrier_code):
            words = ". ".join(str(error[name]) for name in ("carrier_text", "advice") if error.get(name)) or words
    return step["at"], step["status"], code, carrier_code, words


def _numbers(numbers: list[str], *, show: bool) -> str:
    return ", ".join(output.number(one, show=show) for one in numbers)


def _text(item: JsonObject, *, show: bool) -> str:
    if show:
        return "  ".join([item["content"], *(str(one) for one in item["media"])]).strip()
    media = f" and {output.counted(len(item['media']), 'file')}" if item["media"] else ""
    return output.counted(len(item["content"]), "character") + media


def _masked(item: JsonObject) -> Any:
    return output.masked(item)
