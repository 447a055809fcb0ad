"""`smsgw dead-letters` and `smsgw unrouted`: shows, replays and discards parked messages; none is lost otherwise."""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import orjson
import typer

from sms_common.broker import Broker, Held, NoWayBack, Parked
from sms_common.errors import Unavailable
from sms_common.input.patterns import ID_PATTERN
from sms_common.topology import DEAD, UNROUTED
from smsgw.access import gateway
from smsgw.access.http_api import JsonObject
from smsgw.terminal import output
from smsgw.terminal.options import Json, PastedCommand, Show, Yes, confirm
from smsgw.terminal.running import FAILED, OK, Failure, run

_MOST = 5_000
"""How many messages are searched at most. They are in memory at the same time, up to 256 KiB each."""

_AT_ONCE = 100
"""The most ids that the config service accepts in one request."""

_QUEUES = {"dead-letters": DEAD, "unrouted": UNROUTED}

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids, as `list` shows them.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="All of them; with --code all of that code.")]
CodeOption = Annotated[str | None, typer.Option("--code", help="Only those with this code.", show_default=False)]


@dataclass(frozen=True, slots=True)
class Selection:
    """Selects parked messages; without `ids` all of them."""

    ids: frozenset[str] = frozenset()
    code: str | None = None

    def has(self, parked: Parked) -> bool:
        """Whether this message is selected."""
        return (not self.ids or parked.id in self.ids) and self.code in {None, parked.code}


def list_parked(
    ctx: typer.Context,
    *,
    code: CodeOption = None,
    limit: Annotated[int, typer.Option(help="How many to read, the oldest first.", min=1, max=_MOST)] = 50,
    as_json: Json = False,
) -> None:
    """List parked messages, the oldest first. They stay in the queue.

    For example:

      smsgw PLACE list

      smsgw PLACE list --code handler_failed --json
    """
    run(_list(gateway.of(ctx), _queue(ctx), Selection(code=code), limit, as_json=as_json))


def show_parked(
    ctx: typer.Context,
    parked_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, as `list` shows it.")],
    *,
    show: Show = False,
    as_json: Json = False,
) -> None:
    """Show one parked message: why it is there, where it came from, and its body.

    For example:

      smsgw PLACE show 0f8fad5b-d9cb-5e6f-a165-70867728950e

      smsgw PLACE show 0f8fad5b-d9cb-5e6f-a165-70867728950e --show
    """
    run(_show(gateway.of(ctx), _queue(ctx), parked_id, show=show, as_json=as_json))


def replay_parked(  # each says which ones, or how
    ctx: typer.Context,
    ids: Ids = None,
    *,
    every: All = False,
    code: CodeOption = None,
    tenant: Annotated[
        str | None,
        typer.Option(
            "--tenant", "-t", help="Only inbound texts to numbers that this tenant owns now.", show_default=False
        ),
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send messages back to where they came from, to be processed again.

    Correct the cause first: a message that fails again is parked again. Each message is published and confirmed before
    it is removed here. It keeps its id, so a message that was already processed is not sent twice.

    An inbound text is handled like a new one: rules and blocked senders apply, and only the tenant that owns its number
    gets it. Unrouted messages are replayed by the config service, which must be running. With --tenant you confirm that
    a text is genuine although it came by another tenant's webhook.

    For example:

      smsgw PLACE replay 0f8fad5b-d9cb-5e6f-a165-70867728950e

      smsgw PLACE replay --all --code handler_failed --yes

      smsgw unrouted replay --all --code unrouted_did --tenant acme
    """
    if tenant is not None and not re.fullmatch(ID_PATTERN, tenant):
        raise typer.BadParameter("is not a tenant's id", param_hint="--tenant")
    selection = _selection(ids, code, every=every)
    if _queue(ctx) == UNROUTED:
        run(_replay_unrouted(gateway.of(ctx), selection, tenant, yes=yes, as_json=as_json))

    async def replay(broker: Broker, parked: Parked, held: Held) -> None:
        await broker.publish(parked.back(tenant_id=tenant))
        await held.remove()

    run(_act(gateway.of(ctx), _queue(ctx), selection, _Action("replay", "replayed", replay), yes=yes, as_json=as_json))


def discard_parked(
    ctx: typer.Context,
    ids: Ids = None,
    *,
    every: All = False,
    code: CodeOption = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Delete messages for good; there is no other copy.

    For example:

      smsgw PLACE discard 0f8fad5b-d9cb-5e6f-a165-70867728950e

      smsgw PLACE discard --all --code webhook_not_handled
    """
    selection = _selection(ids, code, every=every)

    async def discard(_: Broker, __: Parked, held: Held) -> None:
        await held.remove()

    run(
        _act(
            gateway.of(ctx), _queue(ctx), selection, _Action("discard", "discarded", discard), yes=yes, as_json=as_json
        )
    )


def _app(place: str, about: str) -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, help=about)
    for name, command in (
        ("list", list_parked),
        ("show", show_parked),
        ("replay", replay_parked),
        ("discard", discard_parked),
    ):
        app.command(name, cls=PastedCommand, help=(inspect.getdoc(command) or "").replace("PLACE", place))(command)
    return app


dead_letters = _app("dead-letters", "Messages that could not be processed (the queue sms.dead).")
unrouted = _app(
    "unrouted", "Messages for which no queue was bound, or whose number no tenant owns (the queue sms.unrouted)."
)


@dataclass(frozen=True, slots=True)
class _Action:
    """An action on a parked message: its verb, its past participle, and the function that does it."""

    verb: str
    done: str
    do: Callable[[Broker, Parked, Held], Any]


def _queue(ctx: typer.Context) -> str:
    assert ctx.parent is not None
    assert ctx.parent.info_name is not None
    return _QUEUES[ctx.parent.info_name]


def _selection(ids: Iterable[str] | None, code: str | None, *, every: bool) -> Selection:
    wanted = frozenset(ids or ())
    if bool(wanted) == every:
        raise typer.BadParameter("give the ids, or --all")
    return Selection(wanted, code)


async def _list(access: gateway.Gateway, queue: str, selection: Selection, limit: int, *, as_json: bool) -> None:
    async with access.broker() as broker, broker.browse(queue, limit=limit) as held:
        parked = [Parked.read(one.delivery) for one in held]
    chosen = [one for one in parked if selection.has(one)]
    if as_json:
        output.write_json([_facts(one) for one in chosen])
        return
    output.table(
        ("id", "code", "from", "routing key", "type", "when", "reason"),
        (
            (one.id, one.code, one.source, output.masked(one.routing_key), one.delivery.type, _when(one), one.reason)
            for one in chosen
        ),
    )
    if len(parked) == limit:
        output.note(f"only the oldest {limit} were read; see more with --limit")
    elif not chosen:
        output.note("nothing is parked here" if not parked else "none of this code")


async def _show(access: gateway.Gateway, queue: str, parked_id: str, *, show: bool, as_json: bool) -> None:
    async with access.broker() as broker, broker.browse(queue, limit=_MOST) as held:
        read = (Parked.read(one.delivery) for one in held)
        found = next((one for one in read if one.id == parked_id), None)
    if found is None:
        raise Failure(f"There is no message of the id {parked_id} among the oldest {_MOST} in {queue}.")
    facts = _facts(found)
    if show:
        facts["routing_key"] = found.routing_key
    body = _body(found, show=show)
    if as_json:
        output.write_json({**facts, "body": body})
        return
    output.pairs({name.replace("_", " "): value for name, value in facts.items()})
    output.say()
    output.say(body if isinstance(body, str) else orjson.dumps(body, option=orjson.OPT_INDENT_2).decode())


async def _replay_unrouted(
    access: gateway.Gateway, selection: Selection, tenant: str | None, *, yes: bool, as_json: bool
) -> int:
    """Have the config service replay them, since it knows which tenant owns a number."""
    async with access.config() as api, access.broker() as broker:
        async with broker.browse(UNROUTED, limit=_MOST) as held:
            meant = [parked.id for one in held if selection.has(parked := Parked.read(one.delivery))]
        if meant and not yes:
            confirm(f"replay {len(meant)} of the messages in {UNROUTED}?", yes=False, machine=as_json)
        done: list[str] = []
        left: dict[str, str] = {}
        for portion in _portions(dict.fromkeys(meant), _AT_ONCE):
            body = {"ids": portion} | ({} if tenant is None else {"tenant_id": tenant})
            answer = await api.call("POST", "/api/v1/unrouted/replay", body)
            done += answer["done"]
            left |= {one["id"]: one["says"] for one in answer["left"]}
    return _report(_Tally("replayed", done, left), selection, UNROUTED, as_json=as_json)


def _portions(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yield the ids in lists of `size`."""
    left = iter(ids)
    while portion := list(islice(left, size)):
        yield portion


@dataclass(frozen=True, slots=True)
class _Tally:
    """The ids that succeeded, and those that did not with the reason."""

    word: str
    done: list[str]
    left: dict[str, str]


async def _act(
    access: gateway.Gateway, queue: str, selection: Selection, action: _Action, *, yes: bool, as_json: bool
) -> int:
    """Do the action on each selected message in turn; stop at the first failure of the broker."""
    async with access.broker() as broker:
        if not yes:
            await _ask(broker, queue, selection, action.verb, as_json=as_json)
        done, left = await _do(broker, queue, selection, action)
    return _report(_Tally(action.done, done, left), selection, queue, as_json=as_json)


def _report(tally: _Tally, selection: Selection, queue: str, *, as_json: bool) -> int:
    """Print the result and return the exit status."""
    done, left = tally.done, tally.left
    if as_json:
        output.write_json({tally.word: done, "left": left})
    else:
        output.say(f"{tally.word} {len(done)}")
        for parked_id, why in left.items():
            output.say(f"left {parked_id}: {why}", "yellow")
    absent = selection.ids - set(done) - set(left)
    for parked_id in sorted(absent):
        output.note(f"there is no {parked_id} in {queue}")
    return FAILED if left or absent else OK


async def _ask(broker: Broker, queue: str, selection: Selection, verb: str, *, as_json: bool) -> None:
    """Ask with the number of messages, and return after a yes; no message is locked while the person decides."""
    async with broker.browse(queue, limit=_MOST) as held:
        count = sum(selection.has(Parked.read(one.delivery)) for one in held)
    if count:
        confirm(f"{verb} {count} of the messages in {queue}?", yes=False, machine=as_json)


async def _do(broker: Broker, queue: str, selection: Selection, action: _Action) -> tuple[list[str], dict[str, str]]:
    """Return the ids that succeeded, and those that did not with the reason."""
    done: list[str] = []
    left: dict[str, str] = {}
    async with broker.browse(queue, limit=_MOST) as held:
        for one in held:
            parked = Parked.read(one.delivery)
            if not selection.has(parked):
                continue
            try:
                await action.do(broker, parked, one)
            except NoWayBack as reason:
                left[parked.id] = str(reason)
            except Unavailable as trouble:
                raise Failure(
                    f"{trouble.reason} {len(done)} were {action.done} before; the others are where they were."
                ) from None
            else:
                done.append(parked.id)
    return done, left


def _facts(parked: Parked) -> JsonObject:
    return {
        "id": parked.id,
        "code": parked.code,
        "reason": parked.reason,
        "from": parked.source,
        "routing_key": output.masked(parked.routing_key),
        "type": parked.delivery.type,
        "parked_at": _when(parked),
        "bytes": len(parked.delivery.body),
    }


def _when(parked: Parked) -> str | None:
    moment = parked.delivery.timestamp
    return parked.parked_at or (moment.isoformat() if moment else None)


def _body(parked: Parked, *, show: bool) -> Any:
    """The body as JSON if it is JSON; any other body is shown on request only."""
    try:
        decoded = orjson.loads(parked.delivery.body)
    except orjson.JSONDecodeError:
        text = parked.delivery.body.decode(errors="backslashreplace")
        return text if show else f"<{len(parked.delivery.body)} bytes that are no JSON>"
    return decoded if show else output.masked(decoded)
