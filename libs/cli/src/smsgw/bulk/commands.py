"""`smsgw config export`, `import` and `diff`."""

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from smsgw.access import gateway
from smsgw.access.http_api import JsonObject
from smsgw.bulk import applying, document, exporting
from smsgw.bulk.credentials import fetch_declared
from smsgw.bulk.current import Installation, fetch
from smsgw.bulk.document import SECTIONS, STANDARD_INPUT, BadFile, Document
from smsgw.bulk.kinds import ObjectKind, label
from smsgw.bulk.planning import Plan, Step, plan
from smsgw.settings import secret_from_environment
from smsgw.terminal import output
from smsgw.terminal.options import Json, PastedCommand, Yes, confirm
from smsgw.terminal.running import FAILED, OK, Failure, run

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "Move configuration (tenants, trunks, SMS configurations, rules) between gateways as one YAML file without "
        "secrets."
    ),
)

File = Annotated[Path, typer.Argument(help="The YAML file; - is standard input.", dir_okay=False)]
Prune = Annotated[
    bool,
    typer.Option(
        "--prune", help="Also delete objects that are not in the file; with only_tenants, of those tenants only."
    ),
]
ReplaceSecrets = Annotated[
    bool,
    typer.Option("--replace-secrets", help="Set all secrets that the file names, including those that are stored."),
]


@app.command("export", cls=PastedCommand)
def export_file(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(help="Where to write; standard output when left out or -.", dir_okay=False, show_default=False),
    ] = None,
    *,
    tenant: Annotated[
        list[str] | None, typer.Option("--tenant", "-t", help="Only this tenant; may be repeated.", show_default=False)
    ] = None,
    name_variables: Annotated[
        bool, typer.Option("--name-variables", help="Name an environment variable for each secret that is stored.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the configuration to a file, without secrets.

    For example:

      smsgw config export gateway.yaml

      smsgw config export acme.yaml --tenant acme --name-variables
    """
    place = None if file == STANDARD_INPUT else file
    run(_export(gateway.of(ctx), place, tenant or [], name_variables=name_variables, as_json=as_json))


@app.command("import", cls=PastedCommand)
def import_file(  # each says what, or how
    ctx: typer.Context,
    file: File,
    *,
    prune: Prune = False,
    replace_secrets: ReplaceSecrets = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Change the gateway to what the file says: show the changes, ask, apply them.

    Importing a file twice changes nothing the second time. Nothing is deleted without --prune. Objects are identified
    by their names, so a renamed object is a new one. Stored secrets stay. A missing secret is read from the environment
    variable that the file names for it.

    For example:

      smsgw config import gateway.yaml

      ACME_SECRET=... smsgw config import acme.yaml --replace-secrets

      smsgw config import gateway.yaml --prune --yes --json
    """
    if file == STANDARD_INPUT and not yes:
        raise typer.BadParameter("the file is on standard input, so the command cannot ask there; say --yes")
    access, wanted = gateway.of(ctx), _read(file)
    work = _import(access, wanted, prune=prune, replace_secrets=replace_secrets, yes=yes, as_json=as_json)
    run(_naming(file, work))


@app.command("diff", cls=PastedCommand)
def diff_file(  # each says what, or how
    ctx: typer.Context,
    file: File,
    *,
    prune: Prune = False,
    replace_secrets: ReplaceSecrets = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 when something would change.")] = False,
    as_json: Json = False,
) -> None:
    """Show what an import would change, and change nothing.

    For example:

      smsgw config diff gateway.yaml

      smsgw config diff gateway.yaml --prune --exit-code
    """
    access, wanted = gateway.of(ctx), _read(file)
    work = _diff(access, wanted, prune=prune, replace_secrets=replace_secrets, exit_code=exit_code, as_json=as_json)
    run(_naming(file, work))


def _read(file: Path) -> Document:
    try:
        return document.read(file, literals=True)
    except BadFile as bad:
        raise typer.BadParameter(f"{_called(file)} cannot be used\n{bad}", param_hint="FILE") from None


async def _naming(file: Path, work: Coroutine[Any, Any, int | None]) -> int | None:
    """Await `work`, and put the file's name before a failure."""
    try:
        return await work
    except Failure as failure:
        raise Failure(f"{_called(file)}: {failure}") from None


def _called(file: Path) -> str:
    return "standard input" if file == STANDARD_INPUT else str(file)


async def _export(
    access: gateway.Gateway, file: Path | None, tenants: list[str], *, name_variables: bool, as_json: bool
) -> None:
    async with access.config() as api:
        now = await fetch(api)
    unknown = set(tenants) - {item.tenant for item in now.of(ObjectKind.TENANT)}
    if unknown:
        raise Failure(f"There is no tenant {', '.join(sorted(unknown))}.")
    _tell_doubles(now, tenants)
    content = exporting.content(now, tenants, name_variables=name_variables)
    text = orjson.dumps(content, option=orjson.OPT_INDENT_2).decode() + "\n" if as_json else document.write(content)
    if file is None:
        sys.stdout.write(text)
        return
    _write(file, text)
    counts = ", ".join(
        f"{len(entries)} {name.replace('_', ' ')}" for name, entries in content.items() if name in SECTIONS
    )
    output.note(f"wrote {file}: {counts}")


def _tell_doubles(now: Installation, tenants: list[str]) -> None:
    """Say which objects have the same name in the gateway, and under which names they are written."""
    for (kind, key), keys in now.doubles.items():
        if not tenants or key[0] in tenants:
            written = ", ".join(one[-1] for one in keys)
            count = {2: "two"}.get(len(keys), str(len(keys)))
            output.note(f"there are {count} objects that are called {label(kind, key)}; written as {written}")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.") from None


async def _import(  # as the command
    access: gateway.Gateway, wanted: Document, *, prune: bool, replace_secrets: bool, yes: bool, as_json: bool
) -> None:
    async with access.config() as api:
        now, declared = await fetch(api), await fetch_declared(api)
        planned = plan(wanted, now, secret_from_environment, declared, prune=prune, replace_secrets=replace_secrets)
        if not as_json:
            _show(planned)
        if planned.steps:
            confirm(f"apply {output.counted(len(planned.steps), 'change')}?", yes=yes, machine=as_json)
        made: list[Step] = []
        try:
            await applying.apply(api, planned, now, made.append)
        except Failure as failure:
            raise Failure(f"{failure}\n{len(made)} of {len(planned.steps)} changes were made.") from None
    if as_json:
        output.write_json(_as_json(planned))
    elif made:
        output.say(f"made {output.counted(len(made), 'change')}")


async def _diff(  # as the command
    access: gateway.Gateway, wanted: Document, *, prune: bool, replace_secrets: bool, exit_code: bool, as_json: bool
) -> int:
    async with access.config() as api:
        now, declared = await fetch(api), await fetch_declared(api)
    planned = plan(wanted, now, secret_from_environment, declared, prune=prune, replace_secrets=replace_secrets)
    if as_json:
        output.write_json(_as_json(planned))
    else:
        _show(planned)
    return FAILED if exit_code and planned.steps else OK


def _show(planned: Plan) -> None:
    rows = [
        (step.action, step.kind.value, "/".join(filter(None, step.key)), "\n".join(_changes(step)))
        for step in planned.steps
    ]
    if rows:
        output.table(("do", "what", "name", "changes"), rows)
    output.say(f"{output.counted(len(rows), 'change')}, {planned.unchanged} unchanged")


def _changes(step: Step) -> list[str]:
    if step.action == "delete":
        return []
    before = step.before
    lines = [
        f"{name}: {_value(before[name])} -> {_value(value)}" if name in before else f"{name}: {_value(value)}"
        for name, value in step.fields.items()
    ]
    return [*lines, *(f"{name}: set from the environment" for name in step.secrets)]


def _value(value: object) -> str:
    return "none" if value is None else orjson.dumps(value).decode() if not isinstance(value, str) else value


def _as_json(planned: Plan) -> JsonObject:
    steps = [
        {
            "action": step.action,
            "kind": step.kind.value,
            "name": "/".join(filter(None, step.key)),
            "fields": dict(step.fields),
            "before": dict(step.before),
            "secrets": sorted(step.secrets),
        }
        for step in planned.steps
    ]
    return {"steps": steps, "unchanged": planned.unchanged}
