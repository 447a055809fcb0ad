"""What a log line looks like, where it goes, and what libraries may add to it."""

import asyncio
import io
import json
import logging
import os
import sys
from datetime import UTC, datetime

import pytest
import structlog

from sms_common.telemetry import bind_log_context, clear_log_context, configure

NUMBER = "14045550121"
SECRET = "Zq-canary_7f"


@pytest.fixture(autouse=True)
def logging_as_before():
    root, saved = logging.getLogger(), (logging.getLogger().handlers[:], logging.getLogger().level)
    yield
    root.handlers[:], level = saved
    root.setLevel(level)
    structlog.reset_defaults()
    clear_log_context()


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# lines


def test_json_line_names_its_time_level_service_and_values(capsys):
    configure("ingress", log_format="json")
    structlog.get_logger("name").info("webhook.handled", status=200, carrier="bandwidth")
    (line,) = lines(capsys)
    assert datetime.fromisoformat(line.pop("timestamp")).tzinfo == UTC
    assert line == {
        "event": "webhook.handled",
        "level": "info",
        "service": "ingress",
        "status": 200,
        "carrier": "bandwidth",
    }


def test_auto_is_json_where_standard_output_is_no_terminal(capsys):
    configure("ingress", log_format="auto")
    structlog.get_logger().info("started")
    assert lines(capsys)[0]["event"] == "started"


def test_auto_is_for_eyes_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    configure("ingress")
    structlog.get_logger().info("started", to="+" + NUMBER)
    out = capsys.readouterr().out
    assert "started" in out
    assert "\x1b[" in out
    assert NUMBER not in out


def test_console_shows_an_exception_redacted(capsys):
    configure("ingress", log_format="console")
    try:
        int(f"+{NUMBER}x")
    except ValueError:
        structlog.get_logger().exception("failed", password=SECRET)
    out = capsys.readouterr().out
    assert "ValueError: invalid literal for int() with base 10: '+1404***0121x'" in out
    assert NUMBER not in out
    assert SECRET not in out


@pytest.mark.parametrize("bad", [{"log_format": "xml"}, {"level": "loud"}], ids=str)
def test_unknown_words_are_refused(bad):
    with pytest.raises(ValueError, match="is"):
        configure("ingress", **bad)


def test_lines_below_the_level_are_not_written(capsys):
    configure("ingress", log_format="json", level="warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("somewhere").info("quiet")
    structlog.get_logger().warning("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]


def test_bound_ids_are_in_every_line_of_the_task_until_cleared(capsys):
    configure("ingress", log_format="json")
    log = structlog.get_logger()

    async def child():
        log.info("child")

    async def work():
        bind_log_context(message_id="m-1", config_id="c-1")
        await asyncio.create_task(child())
        clear_log_context()
        log.info("after")

    asyncio.run(work())
    first, second = lines(capsys)
    assert (first["message_id"], first["config_id"]) == ("m-1", "c-1")
    assert "message_id" not in second


def test_standard_library_loggers_take_the_same_chain(capsys):
    configure("dispatcher", log_format="json")
    bind_log_context(message_id="m-1")
    logging.getLogger("library").info("connected to %s", f"amqp://user:{SECRET}@rabbit:5672/")
    (line,) = lines(capsys)
    line.pop("timestamp")
    assert line == {
        "event": "connected to amqp://***@rabbit:5672/",
        "level": "info",
        "logger": "library",
        "message_id": "m-1",
        "service": "dispatcher",
    }


@pytest.mark.parametrize("name", ["aiohttp.access", "aio_pika.connection", "aiormq", "pymongo.command"])
def test_noisy_libraries_are_heard_from_warning_up(capsys, name):
    configure("dispatcher", log_format="json", level="debug")
    logging.getLogger(name).info("chatter")
    logging.getLogger(name).warning("trouble")
    assert [line["event"] for line in lines(capsys)] == ["trouble"]


@pytest.mark.parametrize("name", ["aiormq.connection", "aiormq.channel"])
def test_what_our_own_code_says_in_its_own_words_is_not_heard_twice(capsys, name):
    configure("dispatcher", log_format="json", level="debug")
    logging.getLogger(name).error("Unhandled message %r returning", SECRET)
    assert lines(capsys) == []


def test_custom_levels_and_wrong_arguments_of_libraries_do_not_fail(capsys):
    configure("dispatcher", log_format="json", level="debug")
    logging.getLogger("library").log(35, "between")
    logging.getLogger("library").log(5, "below")
    logging.getLogger("library").error("%d items for +%s", "many", NUMBER)
    try:
        os.environ[f"text='{SECRET}'"]
    except KeyError:
        logging.getLogger("library").exception("broke")
    found = lines(capsys)
    assert [(line["level"], line["event"]) for line in found] == [
        ("warning", "between"),
        ("error", "log.record_unreadable"),
        ("error", "broke"),
    ]
    assert SECRET not in json.dumps(found)


def test_exceptions_are_written_without_local_variables(capsys):
    configure("dispatcher", log_format="json")
    local = "only-a-local"
    try:
        len(local) / 0
    except ZeroDivisionError:
        structlog.get_logger().exception("failed")
    (line,) = lines(capsys)
    assert "ZeroDivisionError: division by zero" in line["exception"]
    assert local not in line["exception"]


@pytest.mark.parametrize(
    "value", ["\ud83d", 2**70, float("nan"), {1: {2: 3}}, b"\xff", object(), {"k"}], ids=lambda value: repr(value)[:20]
)
def test_every_value_can_be_written(capsys, value):
    configure("dispatcher", log_format="json")
    structlog.get_logger().info("odd", value=value)
    assert lines(capsys)[0]["event"] == "odd"


class FullDisk(io.StringIO):
    def write(self, _text):
        raise OSError(28, "No space left on device")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [FullDisk(), closed()], ids=["full", "closed"])
def test_standard_output_that_fails_costs_the_line_and_not_the_work(monkeypatch, stream):
    configure("dispatcher", log_format="json")
    monkeypatch.setattr(sys, "stdout", stream)
    structlog.get_logger().info("written nowhere")
