"""Account queues as Bandwidth fills and empties them."""

import asyncio

import pytest

from tests.simulator.conftest import ACCOUNT, HANDSET, account

TEN = [f"+1404555{number:04}" for number in range(100, 110)]


async def test_a_group_counts_once_per_recipient(start):
    api = await start(frozen=True, changes={"rate": 10, "queue_seconds": 2})

    assert (await api.send(to=TEN))[0] == 202
    assert (await api.send(to=TEN))[0] == 202
    _, state = await api.control("GET", "")
    await api.send()

    assert state["queues"][ACCOUNT]["rate"] == 10
    assert state["queues"][ACCOUNT]["segments"] in (10, 20)  # the first may be out already
    statuses = [(await api.send(to=TEN))[0] for _ in range(3)]
    assert statuses[-1] == 429


async def test_messages_leave_the_account_at_its_rate(start, receiver):
    api = await start(
        frozen=True, changes={"rate": 1, "queue_seconds": 900}, application={"events": ["message-delivered"]}
    )
    for tag in ("first", "second", "third"):
        await api.send(tag=tag)
    await api.send(tag="urgent", priority="high")
    order = []

    for second in range(4):
        events = await receiver.events(second + 1)
        order.append(events[-1]["message"]["tag"])
        assert len(receiver.received) == second + 1
        api.simulator.clock.advance(1)

    assert order == ["first", "urgent", "second", "third"]


async def test_an_account_that_is_changed_keeps_what_waits_and_one_that_is_removed_does_not(start, receiver):
    api = await start(frozen=True, changes={"rate": 1, "queue_seconds": 900})
    await api.send(tag="a")
    await api.send(tag="b")
    await api.simulator.wait_for_attempts(1, tag="a", kind="message-delivered")

    api.simulator.put_account(account(receiver.url, rate=0))
    await api.simulator.wait_for_attempts(1, tag="b", kind="message-delivered")

    assert await api.control("DELETE", f"/accounts/{ACCOUNT}") == (204, b"")
    assert (await api.send())[0] == 401
    assert (await api.control("DELETE", f"/accounts/{ACCOUNT}"))[0] == 404


@pytest.mark.parametrize("text", ["a" * 160, "a" * 161])
async def test_the_queue_counts_segments_not_messages(start, text):
    api = await start(frozen=True, changes={"rate": 1, "queue_seconds": 4})
    await api.send(text=text)
    await asyncio.sleep(0)
    statuses = [(await api.send(text=text, to=HANDSET))[0] for _ in range(5)]

    assert statuses.count(202) == (4 if len(text) == 160 else 2)
