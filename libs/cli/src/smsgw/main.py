"""The command `smsgw`: its subcommands, and the options that they share."""

from pathlib import Path
from typing import Annotated

import typer

from sms_common.telemetry import configure
from sms_common.version import VERSION
from smsgw import bulk, doctor
from smsgw.access import gateway
from smsgw.commands import explain, messages, parked, send, tail
from smsgw.settings import DEFAULT_ENV_FILE
from smsgw.terminal.options import PastedCommand

app = typer.Typer(
    name="smsgw",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,  # they print local variables, and some of those are secrets
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 success, 1 failure, 2 invalid command line or settings.",
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it so
    if wanted:
        typer.echo(VERSION)
        raise typer.Exit


@app.callback()
def smsgw(
    ctx: typer.Context,
    *,
    env_file: Annotated[
        Path | None,
        typer.Option(
            help="File with settings, or the .env of `make up`; ./.env when there is one.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001  # done by its callback
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Work with an SMS gateway from a terminal.

    Environment variables say where the gateway is (SMSGW_AMQP_URL, SMSGW_CONFIG_URL, SMSGW_API_KEY,
    SMSGW_DISPATCHER_URL, SMSGW_DISPATCHER_TOKEN), or a file with them. On a machine with `make up` the checkout's .env
    has everything.

    For example:

      smsgw doctor

      smsgw send +13125550100 "Hello" --tenant demo --extension 101 --wait

      smsgw tail
    """
    found = env_file or (DEFAULT_ENV_FILE if DEFAULT_ENV_FILE.is_file() else None)
    if ctx.obj is None:
        configure("smsgw", level="critical")  # the command itself prints each error once
    ctx.obj = gateway.Gateway(found, ctx.obj or gateway.open_rabbit)


app.command(cls=PastedCommand)(send.send)
app.command(cls=PastedCommand)(tail.tail)
app.add_typer(explain.app, name="explain")
app.add_typer(messages.app, name="messages")
app.add_typer(parked.dead_letters, name="dead-letters")
app.add_typer(parked.unrouted, name="unrouted")
app.add_typer(bulk.app, name="config")
app.command(cls=PastedCommand)(doctor.doctor)
