"""Every known delivery error code has a class, a code and an advice; unknown ones go by their first digits."""

import json
from pathlib import Path

import pytest

from sms_common.carriers.bandwidth.codes import CODES, delivery_error, meaning_of
from sms_common.errors import Code
from sms_common.messages import ErrorClass

TABLE = json.loads((Path(__file__).parents[3] / "data" / "delivery-error-codes.json").read_text())["codes"]
RETRIED = {
    "yes, with back-off",
    "at most once",
    "later, at most once",
    "later, slower",
    "only after the daily window resets",
}
VOLUME = {4780, 4781, 4785}
OPEN = {9902, 9999}


def test_every_known_code_is_listed_and_no_other():
    assert {row["code"] for row in TABLE} == set(CODES)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: str(row["code"]))
def test_a_code_is_temporary_only_where_bandwidth_says_that_a_repeat_may_work(row):
    error_class = CODES[row["code"]].error_class

    if row["code"] in VOLUME:
        assert error_class is ErrorClass.POLICY
    elif row["code"] in OPEN:
        assert error_class is ErrorClass.UNKNOWN
    else:
        assert (error_class is ErrorClass.TEMPORARY) == (row["retry"] in RETRIED)


@pytest.mark.parametrize("number", CODES)
def test_an_advice_is_one_line_for_a_person(number):
    advice = CODES[number].advice

    assert advice.endswith(".")
    assert 20 <= len(advice) <= 120
    assert advice.isprintable()


def test_only_the_code_that_bandwidth_cannot_explain_is_unclassified():
    assert [number for number, meaning in CODES.items() if meaning.code is Code.UNCLASSIFIED] == [9999]


@pytest.mark.parametrize(
    ("number", "error_class", "code"),
    [
        (4432, ErrorClass.PERMANENT, Code.DESTINATION_NOT_ALLOWED),
        (4470, ErrorClass.POLICY, Code.SPAM_BLOCKED),
        (4476, ErrorClass.POLICY, Code.SENDER_NOT_REGISTERED),
        (4702, ErrorClass.TEMPORARY, Code.RECIPIENT_UNREACHABLE),
        (4720, ErrorClass.PERMANENT, Code.RECIPIENT_INVALID),
        (4775, ErrorClass.POLICY, Code.OPTED_OUT),
        (4780, ErrorClass.POLICY, Code.VOLUME_LIMIT),
        (4795, ErrorClass.POLICY, Code.SENDER_NOT_REGISTERED),
        (5229, ErrorClass.POLICY, Code.SENDER_NOT_REGISTERED),
        (5600, ErrorClass.TEMPORARY, Code.CARRIER_BUSY),
        (9902, ErrorClass.UNKNOWN, Code.NO_RECEIPT),
    ],
)
def test_the_codes_met_most_often_mean_what_they_say(number, error_class, code):
    assert meaning_of(number)[:2] == (error_class, code)


@pytest.mark.parametrize(
    ("number", "error_class", "advice"),
    [
        pytest.param(4099, ErrorClass.PERMANENT, "look it up", id="40"),
        pytest.param(4199, ErrorClass.PERMANENT, "look it up", id="41"),
        pytest.param(4399, ErrorClass.PERMANENT, "look it up", id="43"),
        pytest.param(4475, ErrorClass.PERMANENT, "look it up", id="44"),
        pytest.param(4799, ErrorClass.PERMANENT, "look it up", id="47"),
        pytest.param(5199, ErrorClass.TEMPORARY, "a little later", id="51"),
        pytest.param(5299, ErrorClass.TEMPORARY, "a little later", id="52"),
        pytest.param(5599, ErrorClass.TEMPORARY, "a little later", id="55"),
        pytest.param(5699, ErrorClass.TEMPORARY, "once at most", id="56"),
        pytest.param(5799, ErrorClass.TEMPORARY, "once at most", id="57"),
        pytest.param(5998, ErrorClass.TEMPORARY, "a little later", id="59"),
        pytest.param(9900, ErrorClass.UNKNOWN, "look it up", id="99"),
        pytest.param(0, ErrorClass.UNKNOWN, "look it up", id="zero"),
        pytest.param(47, ErrorClass.UNKNOWN, "look it up", id="too-short"),
        pytest.param(44_700, ErrorClass.UNKNOWN, "look it up", id="too-long"),
    ],
)
def test_an_unlisted_code_goes_by_its_first_digits_and_is_unclassified(number, error_class, advice):
    found = delivery_error(number, "something")

    assert (found.error_class, found.code, found.carrier_code) == (error_class, Code.UNCLASSIFIED, str(number))
    assert advice in found.advice


def test_the_description_is_passed_on_and_never_read():
    assert delivery_error(4775, "message delivered").carrier_text == "message delivered"
    assert delivery_error(4775, None).code is Code.OPTED_OUT
