"""Masks over numbers, as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.rules.masks import NumberMask, Specificity
from sms_common.rules.mistakes import InvalidMask


@pytest.mark.parametrize(
    ("mask", "number", "specificity"),
    [
        ("", "+12025550143", Specificity.ANYONE),
        ("12025550143", "+12025550143", Specificity.EXACT),
        ("+1 (202) 555-0143", "12025550143", Specificity.EXACT),
        ("0012025550143", "+12025550143", Specificity.EXACT),
        ("+12025550100-+12025550199", "+12025550143", Specificity.RANGE),
        ("202-555-0100 - 202-555-0199", "2025550143", Specificity.RANGE),
        ("1202555****", "+12025550143", Specificity.PATTERN),
        ("1202555***", "+12025550143", None),
        ("12025550143;+1404*******", "+14045550121", Specificity.PATTERN),
        ("1404*******;14045550121", "+14045550121", Specificity.EXACT),
        ("12025550100-12025550199", "+112025550143", None),
        ("ACME", "acme", Specificity.EXACT),
        ("Bank of America", "BANK OF AMERICA", Specificity.EXACT),
        ("user@example.com", "User@Example.com", Specificity.EXACT),
        ("short code 202555", "202555", Specificity.EXACT),
        ("short code 202555", "+12025550143", None),
        ("+12025550100\u2013+12025550199", "+12025550143", Specificity.RANGE),
        ("+1\u2011202\u2011555\u20110143\u2069", "+12025550143", Specificity.EXACT),
        ("+14045550121\n+12025550143", "+12025550143", Specificity.EXACT),
        ("202555", "+12025550143", None),
        ("101-110", "105", Specificity.RANGE),
        ("101-110", "111", None),
        ("101", "+12025550143", None),
    ],
)
def test_the_closest_part_decides(mask, number, specificity):
    found = NumberMask.parse(mask).match(number)

    assert (found.specificity if found else None) is specificity


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        ("100-20", "same number of digits"),
        ("200-100", "ends before it begins"),
        ("12x*", "stands for one digit"),
        ("###", "neither a number"),
        ("a name that is far too long " * 10, "neither a number"),
    ],
)
def test_a_mask_that_cannot_be_is_refused_with_its_reason(mask, says):
    with pytest.raises(InvalidMask, match=says):
        NumberMask.parse(mask)


@given(st.integers(100, 999), st.integers(0, 500), st.integers(0, 500))
def test_a_number_in_a_range_knows_its_place(first, size, place):
    found = NumberMask.parse(f"{1000 + first}-{1000 + first + size}").match(str(1000 + first + place))

    assert (found.offset if found else None) == (place if place <= size else None)


@given(st.text(max_size=20))
def test_any_text_is_a_mask_or_refused(text):
    try:
        mask = NumberMask.parse(text)
    except InvalidMask:
        return
    mask.match("+12025550143")
    assert NumberMask.parse(mask.text) == mask
