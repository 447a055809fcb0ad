"""The entries of rules as people write them: kept in one form, or refused with a sentence."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from sms_common.messages import MsgType
from sms_config.schemas.rule_entries import (
    MAX_MASK,
    CallerIdEntry,
    Channels,
    ClosedWord,
    Days,
    Destination,
    ExtensionNumber,
    Groups,
    Lengths,
    Mask,
    RouteEntry,
)


def read(kind: Any, written: object) -> object:
    return TypeAdapter(kind).validate_python(written)


@pytest.mark.parametrize(
    ("kind", "written", "kept"),
    [
        (Mask, "12025550140\n12025550141, 12025550142", "12025550140;12025550141;12025550142"),
        (Mask, "", ""),
        (Days, ["2026-12-25", "2026-01-01", "2026-12-25"], ["2026-01-01", "2026-12-25"]),
        (Lengths, [12, 10, 12], [10, 12]),
        (Groups, ["sales", " night ", "sales"], ["night", "sales"]),
        (Channels, ["MMS", "SMS"], [MsgType.SMS, MsgType.MMS]),
        (ExtensionNumber, " 101\u200b", "101"),
    ],
)
def test_a_field_of_a_rule_is_kept_in_one_form(kind, written, kept):
    assert read(kind, written) == kept


@pytest.mark.parametrize(
    ("kind", "written", "said"),
    [
        (Mask, "1" * (MAX_MASK + 1), "may have 4000 characters"),
        (Days, ["25.12.2026"], "must be a date such as 2026-12-25"),
        (Days, ["2026-02-30"], "is not a day of the calendar"),
        (Channels, ["FAX"], "must be one of SMS, MMS"),
        (Channels, [], "at least 1"),
        (ClosedWord, "ring", "must be one of "),
        (Lengths, [0], "greater than or equal to 1"),
        (ExtensionNumber, "10 1", "pattern"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(kind, written, said):
    with pytest.raises(ValidationError, match=said):
        read(kind, written)


@pytest.mark.parametrize(
    ("written", "kept"),
    [("100 - 109", "100-109"), ("100\u2013109", "100-109"), (" 104 ", "104"), ("reception", "reception"), ("0", "0")],
)
def test_a_destination_is_one_place_or_one_range(written, kept):
    assert Destination(destination=written).destination == kept


@pytest.mark.parametrize("written", ["100;101", "1**", "x" * 65])
def test_a_list_or_a_pattern_is_no_destination(written):
    with pytest.raises(ValidationError, match="must be one destination of up to 64 characters, or one range"):
        Destination(destination=written)


def test_without_more_a_rule_leaves_the_number_as_it_is():
    assert (Destination().kind, Destination().destination) == ("extension", "0")
    route = RouteEntry(config_id="c1")
    assert (route.enabled, route.strip_digits, route.prepend, route.caller_id, route.weight) == (True, 0, "", None, 1)
    assert CallerIdEntry(number="+12015550100", trunk_id="t1").description == ""


@pytest.mark.parametrize("prepend", ["+44", "0", ""])
def test_digits_may_be_put_before_a_number(prepend):
    assert RouteEntry(config_id="c1", prepend=prepend).prepend == prepend


@pytest.mark.parametrize("prepend", ["44+", "x", "1" * 17])
def test_nothing_else_may_be_put_before_a_number(prepend):
    with pytest.raises(ValidationError):
        RouteEntry(config_id="c1", prepend=prepend)
