"""Faults: for which calls, how often, and by chance."""

import pytest

from carrier_simulator import Fault
from carrier_simulator.carrier.faults import Faults, Subject


def struck(faults: Faults, calls: int) -> list[int]:
    return [call for call in range(calls) if faults.take("messages", "before", Subject()) is not None]


def test_a_fault_skips_strikes_and_ends():
    faults = Faults(seed=0)
    faults.add(Fault(kind="error", skip=2, times=3))

    assert struck(faults, 10) == [2, 3, 4]
    assert not faults


def test_a_fault_for_good_goes_on_until_it_is_cleared():
    faults = Faults(seed=0)
    faults.add(Fault(kind="error", times=None))

    assert struck(faults, 5) == [0, 1, 2, 3, 4]
    assert [fault.kind for fault in faults] == ["error"]
    assert faults.listing()[0]["struck"] == 5
    faults.clear()
    assert struck(faults, 5) == []


def test_chance_is_the_same_for_the_same_seed():
    def run(seed: int) -> list[int]:
        faults = Faults(seed)
        faults.add(Fault(kind="error", times=None, probability=0.3))
        return struck(faults, 1000)

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert 200 < len(run(1)) < 400


async def test_faults_are_listed_and_cleared_over_http(api):
    await api.control("POST", "/faults", {"kind": "slow", "times": None, "delay": 1})

    _, faults = await api.control("GET", "/faults")
    assert faults == [
        {
            "endpoint": "messages",
            "stage": "before",
            "kind": "slow",
            "skip": 0,
            "probability": 1.0,
            "delay": 1.0,
            "struck": 0,
            "left": None,
        }
    ]
    assert await api.control("DELETE", "/faults") == (204, b"")
    assert (await api.control("GET", "/faults"))[1] == []


@pytest.mark.parametrize(
    "fault", [{}, {"kind": "explode"}, {"kind": "error", "probability": 0}, {"kind": "error", "x": 1}]
)
async def test_a_fault_that_makes_no_sense_is_refused(api, fault):
    assert (await api.control("POST", "/faults", fault))[0] == 400
