"""The last four digits of a recipient choose the outcome."""

import asyncio

import pytest
from aiohttp import web

from tests.simulator.conftest import types

SUFFIXES = {
    "9001": ["message-sent"],
    "9002": ["message-sent", "message-delivered"],
    "9003": ["message-sent", "message-sent", "message-delivered", "message-delivered"],
    "9004": ["message-delivered", "message-sent"],
    "9005": ["message-delivered", "message-sent"],
    "9006": ["message-sent", "message-failed", "message-delivered"],
    "9007": ["message-sent", "message-frobnicated", "message-delivered"],
    "9008": ["message-sent", "message-delivered"],
    "9010": ["message-sent", "message-delivered"],
    "9011": ["message-sent", "message-delivered"],
    "9012": ["message-sent", "message-delivered"],
    "0121": ["message-sent", "message-delivered"],
}


@pytest.mark.parametrize(("suffix", "expected"), SUFFIXES.items(), ids=SUFFIXES)
async def test_a_suffix_chooses_the_manner(api, receiver, suffix, expected):
    await api.send(to=f"+1404555{suffix}", tag="marked")
    await api.send(to="+14045550199", tag="other")
    await api.simulator.wait_for_attempts(1, tag="other", kind="message-delivered")
    await api.simulator.wait_for_attempts(len(expected), tag="marked")

    marked = [entry.event for entry in receiver.received if entry.event["to"].endswith(suffix)]

    assert types(marked) == expected


async def test_suffix_9000_is_silence(api, receiver):
    await api.send(to="+14045559000")
    await api.send(to="+14045550199")

    events = await receiver.events(2)

    assert {event["to"] for event in events} == {"+14045550199"}


async def test_suffix_9002_answers_after_the_late_delay_and_9902_after_the_receipt_window(start, receiver):
    api = await start(frozen=True, late_delay=30, receipt_window=262_800)
    await api.send(to="+14045559002")
    await api.send(to="+14045559902")
    await receiver.events(2)

    api.simulator.clock.advance(29)
    assert types(await receiver.events(2)) == ["message-sent"] * 2
    api.simulator.clock.advance(1)
    late = (await receiver.events(3))[2]
    assert (late["to"], late["time"]) == ("+14045559002", "2026-07-10T09:00:30.123000Z")
    api.simulator.clock.advance(262_800)
    timed_out = (await receiver.events(4))[3]
    assert (timed_out["errorCode"], timed_out["time"]) == (9902, "2026-07-13T10:00:00.123000Z")


async def test_suffix_9004_posts_the_final_before_the_202_is_answered(api, receiver):
    answered = asyncio.Event()

    async def answer(_):
        order.append("webhook")
        await asyncio.sleep(0)
        assert not answered.is_set()
        return web.Response()

    order: list[str] = []
    receiver.answers.append(answer)

    _, _, body = await api.send(to="+14045559004")
    answered.set()

    assert order == ["webhook"]
    assert receiver.received[0].event["message"]["id"] == body["id"]


async def test_suffix_9008_is_a_bare_object_9009_two_events_and_9010_an_empty_tag(api, receiver):
    for suffix in ("9008", "9009", "9010"):
        await api.send(to=f"+1404555{suffix}", tag=suffix)
        await api.simulator.wait_for_attempts(1, tag=suffix, kind="message-delivered")

    bodies = {entry.event["to"][-4:]: entry.body for entry in receiver.received}
    assert isinstance(bodies["9008"], dict)
    assert types(bodies["9009"]) == ["message-sent", "message-delivered"]
    assert bodies["9010"][0]["message"]["tag"] == ""
