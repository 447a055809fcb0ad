"""`smsgw send`: publishes a request as a PBX would, and follows its statuses."""

import asyncio
import re
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from sms_common import topology
from sms_common.broker import Broker, Delivery, Outgoing
from sms_common.events import OutboundRequest, StatusEvent, utc_now
from sms_common.input.field_errors import first_field_error
from sms_common.input.pasted import entries
from sms_common.messages import Category, Status
from smsgw.access import gateway
from smsgw.commands import event_lines
from smsgw.terminal import output
from smsgw.terminal.options import Json, Show, Tenant
from smsgw.terminal.running import FAILED, OK, Failure, run

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_FROM_NOW = re.compile(r"\+([0-9]{1,6})([smhd])")


def send(  # noqa: PLR0913  # each is a field of the request
    ctx: typer.Context,
    to: Annotated[
        str, typer.Argument(help="The recipient's number, or several separated by commas, `;` or line ends.")
    ],
    text: Annotated[str, typer.Argument(help="The text; - reads it from standard input.")] = "",
    *,
    tenant: Tenant = None,
    extension: Annotated[
        str | None,
        typer.Option(
            "--extension", "-e", help="The sender's extension; SMSGW_EXTENSION by default.", show_default=False
        ),
    ] = None,
    sender: Annotated[str | None, typer.Option("--from", help="The sender's number.", show_default=False)] = None,
    config: Annotated[str | None, typer.Option(help="The SMS configuration's id.", show_default=False)] = None,
    media: Annotated[list[str] | None, typer.Option(help="URL of a file to send; may be repeated.")] = None,
    group: Annotated[
        bool, typer.Option("--group", help="One group message instead of one for each recipient.")
    ] = False,
    category: Annotated[
        Category, typer.Option(help="The category of the text; marketing uses the bulk lane.")
    ] = Category.CONVERSATIONAL,
    send_after: Annotated[
        str | None,
        typer.Option(help="Not before: a time such as 2026-05-04T09:00:00Z, or +10m from now.", show_default=False),
    ] = None,
    expires_at: Annotated[
        str | None,
        typer.Option(help="Not after: a time such as 2026-05-04T09:00:00Z, or +2h from now.", show_default=False),
    ] = None,
    message_id: Annotated[
        str | None, typer.Option("--id", help="The request's id; the same id is never sent twice.", show_default=False)
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Follow its statuses until the final one.")] = False,
    wait_seconds: Annotated[float, typer.Option(help="How long to --wait.", min=0.1)] = 120.0,
    show: Show = False,
    as_json: Json = False,
) -> None:
    """Send a text.

    Prints the message's id. With --wait it prints the statuses as they arrive, without taking them from the PBX's
    queue; the exit status is 0 if the text is delivered to every recipient, else 1.

    For example:

      smsgw send +13125550100 "Hello" --tenant acme --extension 101

      smsgw send +13125550100,+13125550101 "Meet at 5" -t acme -e 101 --group --wait

      smsgw send +13125550100 "Good morning" -t acme -e 101 --send-after +8h --expires-at +10h
    """
    access = gateway.of(ctx)
    request = _request(
        message_id=message_id or str(uuid.uuid4()),
        tenant_id=access.tenant(tenant),
        extension=extension_of(extension or access.settings.extension),
        to=entries(to),
        text=sys.stdin.read() if text == "-" else text or None,
        media=media or [],
        group=group,
        category=category,
        config_id=config,
        send_after=_time(send_after),
        expires_at=_time(expires_at),
        **{"from": sender},
    )
    run(_send(access, request, _Progress(show=show, as_json=as_json), wait_seconds if wait else None))


def extension_of(given: str | None) -> str:
    """Return the sender's extension. Raises BadParameter if none is given or set."""
    if given is None:
        raise typer.BadParameter("name the sender's extension with --extension, or set SMSGW_EXTENSION")
    return given


def _time(text: str | None) -> str | None:
    """Return a time in the form of the request; `+10m` and the like count from now."""
    match = _FROM_NOW.fullmatch(text or "")
    if match is None:
        return text
    return (utc_now() + timedelta(seconds=int(match[1]) * _UNITS[match[2]])).isoformat()


def _request(**fields: Any) -> OutboundRequest:
    try:
        return OutboundRequest.model_validate({name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        found = first_field_error(error)
        raise typer.BadParameter(found.reason if found is not None else "That is no request.") from None


class _Progress:
    """Prints the progress of a request."""

    def __init__(self, *, show: bool, as_json: bool) -> None:
        self._show = show
        self._as_json = as_json

    def sent(self, request: OutboundRequest) -> None:
        """The request was published."""
        if self._as_json:
            output.write_json({"message_id": request.message_id, "tenant_id": request.tenant_id})
        else:
            output.say(request.message_id)

    def status(self, delivery: Delivery, event: StatusEvent) -> None:
        """A status arrived."""
        if self._as_json:
            output.write_json(event_lines.as_json(delivery, show=self._show)["event"])
        else:
            output.say(event_lines.status_line(event, show=self._show), output.STYLES.get(event.status.value, ""))


async def _send(
    access: gateway.Gateway, request: OutboundRequest, progress: _Progress, wait_seconds: float | None
) -> int:
    message = Outgoing(
        topology.SMS, topology.outbound_key(request.tenant_id), request.encode(), request.TYPE, request.message_id
    )
    async with access.broker() as broker:
        if wait_seconds is None:
            await broker.publish(message)
            progress.sent(request)
            return OK
        async with _statuses(broker, request) as statuses:
            await broker.publish(message)
            progress.sent(request)
            try:
                async with asyncio.timeout(wait_seconds):
                    return await _follow(statuses, request, progress)
            except TimeoutError:
                raise Failure(
                    f"There is no final status after {wait_seconds:g} s. The gateway continues; see later with: "
                    f"smsgw messages show {request.message_id} --tenant {request.tenant_id}"
                ) from None


@asynccontextmanager
async def _statuses(
    broker: Broker, request: OutboundRequest
) -> AsyncIterator["asyncio.Queue[tuple[Delivery, StatusEvent]]"]:
    """Receive every status of `request` from now on. A rejection may have no known tenant."""
    heard: asyncio.Queue[tuple[Delivery, StatusEvent]] = asyncio.Queue()
    ready = [asyncio.Event(), asyncio.Event()]
    keys = [f"sms.status.{request.tenant_id}.#", f"sms.status.{topology.NO_TENANT}.#"]
    mine = request.message_id

    async def hear(listening: asyncio.Event, delivery: Delivery | None) -> None:
        if delivery is None:
            listening.set()
            return
        event = event_lines.read(delivery)
        if isinstance(event, StatusEvent) and mine in {event.message_id, event.parent_id}:
            heard.put_nowait((delivery, event))

    subscriptions = [
        await broker.listen(key, lambda delivery, listening=listening: hear(listening, delivery))  # type: ignore[misc]
        for key, listening in zip(keys, ready, strict=True)
    ]
    try:
        for listening in ready:
            await listening.wait()
        yield heard
    finally:
        for subscription in subscriptions:
            await subscription.cancel()


async def _follow(
    statuses: "asyncio.Queue[tuple[Delivery, StatusEvent]]", request: OutboundRequest, progress: _Progress
) -> int:
    """Print every status until the final one of the message, or of each message of a list."""
    ended: dict[str, Status] = {}
    printed: set[str] = set()
    several = len(set(request.to)) if not request.group else 1
    while True:
        delivery, event = await statuses.get()
        if event.event_id in printed:
            continue
        printed.add(event.event_id)
        progress.status(delivery, event)
        if not event.final:
            continue
        if event.message_id == request.message_id:
            return OK if event.status is Status.DELIVERED else FAILED
        ended[event.message_id] = event.status
        if not request.group and len(ended) >= several:
            return OK if set(ended.values()) == {Status.DELIVERED} else FAILED
