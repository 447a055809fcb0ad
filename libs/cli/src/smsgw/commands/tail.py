"""`smsgw tail`: shows events live, with queues of its own."""

import asyncio
from typing import Annotated

import typer

from sms_common.broker import Delivery
from sms_common.messages import Status
from sms_common.topology import CONFIG_CHANGES
from smsgw.access import gateway
from smsgw.commands import event_lines
from smsgw.terminal import output
from smsgw.terminal.options import Json, Show
from smsgw.terminal.running import run


def tail(  # noqa: PLR0913  # each is a kind of event
    ctx: typer.Context,
    *,
    tenant: Annotated[
        str | None, typer.Option("--tenant", "-t", help="Only this tenant's.", show_default=False)
    ] = None,
    status: Annotated[
        list[Status] | None, typer.Option(help="Statuses, only these; may be repeated.", show_default=False)
    ] = None,
    statuses: Annotated[bool, typer.Option("--statuses", help="Statuses.")] = False,
    inbound: Annotated[bool, typer.Option("--inbound", help="Texts that arrived.")] = False,
    outbound: Annotated[bool, typer.Option("--outbound", help="Requests of the PBX.")] = False,
    carrier: Annotated[
        bool, typer.Option("--carrier", help="Receipts and texts from carriers, of every tenant.")
    ] = False,
    changes: Annotated[bool, typer.Option("--changes", help="Changes of the configuration.")] = False,
    count: Annotated[int | None, typer.Option(help="Stop after so many events.", min=1, show_default=False)] = None,
    show: Show = False,
    as_json: Json = False,
) -> None:
    """Watch events live, until Ctrl-C.

    Without an option for the kind it shows statuses and inbound texts, from now on. It reads copies, from temporary
    queues; the PBX still gets everything. While it runs, a status or inbound text for which no PBX is bound does not
    go to sms.unrouted.

    For example:

      smsgw tail

      smsgw tail --tenant acme --status failed --status rejected

      smsgw tail --inbound --show --json
    """
    who = tenant or "*"
    wanted = {
        **{f"sms.status.{who}.{one.value}": bool(status) for one in status or ()},
        f"sms.status.{who}.*": statuses,
        f"sms.inbound.{who}.#": inbound,
        f"sms.outbound.{who}.#": outbound,
        "sms.carrier.#": carrier,
        f"sms.config.{who}.#" if tenant else CONFIG_CHANGES: changes,
    }
    keys = [key for key, asked in wanted.items() if asked]
    keys = keys or [f"sms.status.{who}.*", f"sms.inbound.{who}.#"]
    run(_tail(gateway.of(ctx), keys, count, show=show, as_json=as_json))


async def _tail(access: gateway.Gateway, keys: list[str], count: int | None, *, show: bool, as_json: bool) -> None:
    news: asyncio.Queue[Delivery | None] = asyncio.Queue()

    async def hear(delivery: Delivery | None) -> None:
        news.put_nowait(delivery)

    async with access.broker() as broker:
        for key in keys:
            await broker.listen(key, hear)
        started, shown = 0, 0
        while count is None or shown < count:
            delivery = await news.get()
            if delivery is None:
                started += 1
                if started >= len(keys):
                    output.note(
                        "listening" if started == len(keys) else "connected again; something may have been missed"
                    )
                continue
            shown += 1
            if as_json:
                output.write_json(event_lines.as_json(delivery, show=show))
            else:
                output.say(event_lines.line(delivery, show=show))
