"""A process that can open no more files says so and counts it."""

import asyncio
import errno
import os
import socket
from itertools import chain, repeat

import pytest
from structlog.testing import capture_logs

from sms_common.service.open_files import OpenFiles
from sms_common.telemetry import metrics
from tests.processes import Start, free_port, logged

FULL = OSError(errno.EMFILE, "Too many open files")


def files(*found):
    """What opening one more gives each time: its number, or an error."""
    each = iter(found)

    def open_one():
        result = next(each)
        if isinstance(result, OSError):
            raise result
        return os.dup(0) if result is None else os.dup2(0, result)

    return open_one


def counted():
    return metrics.registry.get_sample_value("smsgw_file_limit_reached_total")


def test_a_process_at_its_limit_says_so_at_once_and_each_minute_and_counts_each_look():
    before = counted()
    watch = OpenFiles(files(*repeat(FULL, 61)), limit=100)

    with capture_logs() as logs:
        for _ in range(61):
            watch.look()

    assert [entry["event"] for entry in logs] == ["service.file_limit_reached"] * 2
    assert counted() - before == 61


async def test_a_bug_in_looking_is_logged_once_a_minute_and_not_at_each_look(monkeypatch):
    pauses, second = [], asyncio.Event()

    def note(seconds, _share):
        pauses.append(seconds)
        if len(pauses) == 2:
            second.set()
        return 0.0

    def broken():
        raise RuntimeError("a bug")

    monkeypatch.setattr("sms_common.service.background_work.spread", note)
    with capture_logs() as logs:
        watching = asyncio.create_task(OpenFiles(broken, limit=100).watch())
        await second.wait()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    assert pauses[:2] == [60.0, 60.0]
    assert {entry["event"] for entry in logs} == {"service.file_watch_failed"}


def test_a_process_near_its_limit_says_so_once_until_it_is_near_again():
    watch = OpenFiles(files(*chain([190, 190, 100, 195], repeat(FULL, 1))), limit=200)

    with capture_logs() as logs:
        for _ in range(5):
            watch.look()

    assert [(entry["event"], entry.get("open")) for entry in logs] == [
        ("service.file_limit_near", 190),
        ("service.file_limit_near", 195),
        ("service.file_limit_reached", None),
    ]


def test_another_error_is_not_taken_for_the_limit():
    with pytest.raises(PermissionError):
        OpenFiles(files(PermissionError(errno.EACCES, "no")), limit=100).look()


@pytest.mark.loopback
async def test_ingress_at_its_limit_of_connections_says_so():
    port = free_port()
    held: list[socket.socket] = []

    def crowd(line: str) -> None:
        if "ingress.listening" in line:
            held.extend(socket.create_connection(("127.0.0.1", port)) for _ in range(200))

    start = Start(files=100, each_line=crowd)
    try:
        line = await logged("ingress", "service.file_limit_reached", start, INGRESS_PORT=str(port))
    finally:
        for one in held:
            one.close()

    assert "raise the limit of open files" in line
