"""Bandwidth's delivery error codes."""

import orjson
import pytest

from carrier_simulator.bandwidth.codes import DESCRIPTIONS
from tests.simulator.samples import SAMPLES

CODES = orjson.loads((SAMPLES.parent / "delivery-error-codes.json").read_bytes())["codes"]


def test_every_documented_code_has_a_number_suffix():
    assert set(DESCRIPTIONS) == {entry["code"] for entry in CODES}


@pytest.mark.parametrize("entry", CODES, ids=lambda entry: str(entry["code"]))
async def test_the_last_four_digits_choose_the_error(api, receiver, entry):
    await api.send(to=f"+1404555{entry['code']}")

    event = (await receiver.events(2))[1]

    assert (event["type"], event["errorCode"]) == ("message-failed", entry["code"])
    assert event["description"]
