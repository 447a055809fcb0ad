"""The message headers: trace context, what a property can hold, dead letters."""

import asyncio

import pytest

from sms_common.broker import dead_letter
from sms_common.broker.headers import REASON, continue_trace, current_trace, short, trace_of
from sms_common.errors import Code
from sms_common.topology import DEAD

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nonsense",
        7,
        TRACE.upper(),
        TRACE + "-more",
        TRACE + "\n",
        "ff" + TRACE[2:],
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
    ],
    ids=[
        "empty",
        "nonsense",
        "number",
        "upper case",
        "longer",
        "a line more",
        "version ff",
        "trace of zeros",
        "span of zeros",
    ],
)
def test_an_invalid_traceparent_is_ignored(value: object):
    assert trace_of({"traceparent": value}) is None


async def test_a_trace_lasts_for_its_task_only():
    async def handle(trace: str | None) -> str:
        continue_trace({"traceparent": trace} if trace else {})
        return current_trace()

    assert await asyncio.create_task(handle(TRACE)) == TRACE
    other = await asyncio.create_task(handle(None))
    assert trace_of({"traceparent": other}) == other != TRACE
    assert current_trace() not in {TRACE, other}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("a" * 255, "a" * 255),
        ("a" * 256, "a" * 255),
        ("é" * 128, "é" * 127),
        ("\ud800", "?"),
    ],
    ids=["empty", "fits", "one too long", "no half characters", "lone surrogate"],
)
def test_a_property_holds_at_most_255_bytes(text: str, expected: str):
    assert short(text) == expected


def test_a_dead_letter_says_why_and_whence_and_keeps_the_body():
    letter = dead_letter(
        b"\xff", Code.NOT_UTF8, "x" * 5_000, source="webhook", routing_key="k", headers={"x-carrier": "bandwidth"}
    )
    assert (letter.exchange, letter.body) == (DEAD, b"\xff")
    assert letter.headers["x-carrier"] == "bandwidth"
    assert len(str(letter.headers[REASON])) == 1_000


def test_the_same_dead_letter_has_the_same_id():
    ids = {
        dead_letter(body, Code.NOT_JSON, "No.", source=source, routing_key="k").message_id
        for body in (b"1", b"2")
        for source in ("a", "b")
        for _ in range(2)
    }
    assert len(ids) == 4
