"""How a command ends: its exit status and its error."""

import pytest
import typer

from sms_common.errors import Code, Unavailable
from smsgw.terminal.running import FAILED, INTERRUPTED, OK, Failure, run


async def ends(status: int | None = None, error: BaseException | None = None) -> int | None:
    if error is not None:
        raise error
    return status


@pytest.mark.parametrize(("returned", "status"), [(None, OK), (OK, OK), (FAILED, FAILED)])
def test_a_command_ends_with_what_it_returns(returned: int | None, status: int):
    with pytest.raises(typer.Exit) as ended:
        run(ends(returned))
    assert ended.value.exit_code == status


@pytest.mark.parametrize("error", [Failure("No\x1b way."), Unavailable(Code.BROKER_UNAVAILABLE, "No\x1b way.")])
def test_a_failure_is_one_line_on_standard_error(error: Exception, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(typer.Exit) as ended:
        run(ends(error=error))
    assert (ended.value.exit_code, capsys.readouterr().err) == (FAILED, "error: No\ufffd way.\n")


def test_an_interrupt_has_a_status_of_its_own():
    with pytest.raises(typer.Exit) as ended:
        run(ends(error=KeyboardInterrupt()))
    assert ended.value.exit_code == INTERRUPTED
