"""Processes that outlive the command which started them, and the files that remember them."""

import json
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sms_native.machine.processes import NativeError, Process, StateFile, only_one, tail, until

_DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def _spawn(code: str, log: Path) -> Process:
    return Process.spawn([sys.executable, "-c", code], dict(os.environ), log)


def test_a_process_is_recognised_from_its_record_by_another_command(log):
    process = _spawn("import signal; signal.pause()", log)
    again = Process.from_record(json.loads(json.dumps(process.record())))
    assert again is not None
    assert again.alive
    again.stop(5)
    assert not process.alive


def test_a_later_process_with_the_same_number_is_not_taken_for_ours():
    me = Process.running_now()
    assert me.alive
    earlier = replace(me, born=me.born - 1)
    assert not earlier.alive
    earlier.kill()  # or this test would end here


def test_a_process_that_does_not_listen_is_killed(log):
    process = _spawn(_DEAF, log)
    until(lambda: "deaf" in tail(log), process, log, 10)
    process.stop(0.2)
    assert not process.alive


def test_a_process_that_dies_while_starting_shows_the_end_of_its_log(log):
    process = _spawn("import sys; sys.exit('no room at the inn')", log)
    with pytest.raises(NativeError, match="no room at the inn"):
        until(lambda: False, process, log, 10)


def test_a_program_that_is_not_there_is_named(log):
    with pytest.raises(NativeError, match="no-such-program"):
        Process.spawn(["no-such-program"], {}, log)


def test_state_is_private_and_survives_being_half_written(tmp_path):
    file = StateFile(tmp_path / "state.json")
    assert file.read() == {}
    file.write(port=1)
    assert file.read() == {"port": 1}
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600
    (tmp_path / "state.json").write_text('{"port": ')
    assert file.read() == {}


def test_a_directory_is_made_for_the_one_who_works_on_it(tmp_path):
    with only_one(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
