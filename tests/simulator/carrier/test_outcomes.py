"""Outcomes that a test scripts."""

import pytest

from carrier_simulator import MessageOutcome
from tests.simulator.conftest import HANDSET, types


async def test_a_tag_script_goes_before_a_number_before_anyone_before_the_suffix(api):
    decide = api.simulator.bandwidth.decide
    scripts = {
        "tag": {"tag": "t", "outcome": {"final": "failed", "error_code": 4001}},
        "to": {"to": "+14045554775", "outcome": {"final": "failed", "error_code": 4002}},
        "anyone": {"to": "*", "outcome": {"final": "failed", "error_code": 4003}},
    }
    for script in scripts.values():
        assert (await api.control("POST", "/outcomes", script))[0] == 201

    assert decide("+14045554775", "t").error_code == 4001
    assert decide("+14045554775", "other").error_code == 4002
    assert decide("+14045554770", None).error_code == 4003
    assert len((await api.control("GET", "/outcomes"))[1]) == 3
    assert await api.control("DELETE", "/outcomes") == (204, b"")
    assert decide("+14045554775", "t").error_code == 4775


async def test_scripts_of_one_target_are_used_up_in_order(api):
    script = api.simulator.script
    script(MessageOutcome(final="failed", error_code=4001), to=HANDSET, times=2)
    script(MessageOutcome(final="none"), to=HANDSET, times=1)

    outcomes = [api.simulator.bandwidth.decide(HANDSET, "t") for _ in range(4)]

    assert [(outcome.final, outcome.error_code) for outcome in outcomes] == [
        ("failed", 4001),
        ("failed", 4001),
        ("none", None),
        ("delivered", None),
    ]
    assert api.simulator.outcomes.listing() == []


@pytest.mark.parametrize(
    "script",
    [
        {"outcome": {}},
        {"to": HANDSET, "tag": "t", "outcome": {}},
        {"to": HANDSET, "outcome": {"final": "failed"}},
        {"to": HANDSET, "outcome": {"error_code": 4001}},
        {"to": HANDSET, "outcome": {"nonsense": 1}},
        {"to": HANDSET, "times": 0, "outcome": {}},
        {"to": HANDSET},
    ],
    ids=[
        "no-target",
        "two-targets",
        "failed-without-code",
        "code-without-failed",
        "unknown-field",
        "zero-times",
        "no-outcome",
    ],
)
async def test_a_script_that_makes_no_sense_is_refused(api, script):
    status, body = await api.control("POST", "/outcomes", script)

    assert status == 400
    assert body["details"]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (MessageOutcome(second_final="failed"), ["message-sent", "message-delivered", "message-failed"]),
        (MessageOutcome(final="none", second_final="delivered"), ["message-sent", "message-delivered"]),
        (MessageOutcome(progress=False, delay=0.01), ["message-delivered"]),
        (MessageOutcome(tag="absent"), ["message-sent", "message-delivered"]),
        (MessageOutcome(order="before_sent", final="none"), ["message-sent"]),
    ],
    ids=["contradiction", "only-second", "no-progress", "no-tag", "nothing-to-swap"],
)
async def test_other_outcomes_can_be_scripted(api, receiver, outcome, expected):
    api.simulator.script(outcome, tag="scripted")

    await api.send(tag="scripted")
    events = await receiver.events(len(expected))

    assert types(events) == expected
    assert all(("tag" in event["message"]) == (outcome.tag == "echo") for event in events)


async def test_a_swapped_order_without_a_final_delays_no_answer(api):
    api.simulator.script(MessageOutcome(order="before_answer", final="none"), to=HANDSET)

    assert (await api.send())[0] == 202
