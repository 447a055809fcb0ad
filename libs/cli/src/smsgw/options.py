"""The options that several commands have, each written once."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text.")]
Show = Annotated[bool, typer.Option("--show", help="Show whole phone numbers and texts; they are masked otherwise.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
Tenant = Annotated[
    str | None, typer.Option("--tenant", "-t", help="The tenant; SMSGW_TENANT when left out.", show_default=False)
]


def confirm(question: str, *, yes: bool, machine: bool) -> None:
    """Ask the person; go on only after a yes. A program is not asked: it has to say --yes. Exits otherwise."""
    if yes:
        return
    if machine:
        raise typer.BadParameter("--json needs --yes here, since nobody is asked")
    typer.confirm(question, abort=True)
