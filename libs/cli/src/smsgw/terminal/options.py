"""The options that several commands share."""

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from sms_common.input.pasted import trimmed

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text.")]
Show = Annotated[bool, typer.Option("--show", help="Show whole phone numbers and texts; they are masked otherwise.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
Tenant = Annotated[
    str | None, typer.Option("--tenant", "-t", help="The tenant; SMSGW_TENANT by default.", show_default=False)
]


# The text of a message is sent exactly as given.
_VERBATIM = frozenset({"text"})


class PastedCommand(TyperCommand):
    """A command whose arguments may be pasted: invisible characters at their ends are removed."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command with the cleaned arguments."""
        ctx.params = {name: value if name in _VERBATIM else _clean(value) for name, value in ctx.params.items()}
        return super().invoke(ctx)


def _clean(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(map(_clean, value))
    return trimmed(value) if isinstance(value, str) and type(value) is str else value


def confirm(question: str, *, yes: bool, machine: bool) -> None:
    """Ask the person, and exit unless the answer is yes. A program is not asked: it must pass --yes."""
    if yes:
        return
    if machine:
        raise typer.BadParameter("--json needs --yes here, since nobody is asked")
    typer.confirm(question, abort=True)
