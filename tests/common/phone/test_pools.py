"""Pools of numbers: how they are read, written, searched and compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.phone import (
    NumberPool,
    NumberRange,
)


@pytest.mark.parametrize(
    ("text", "country", "canonical"),
    [
        pytest.param("", "US", "", id="empty"),
        pytest.param(" ; \n", "US", "", id="only separators"),
        pytest.param("+14045550121", "US", "+14045550121", id="one number"),
        pytest.param(
            "+14045550121;+12025550100-+12025550199", "US", "+12025550100-+12025550199;+14045550121", id="sorted"
        ),
        pytest.param("12025550100-12025550199", "US", "+12025550100-+12025550199", id="no plus"),
        pytest.param("0012025550100-0012025550199", "DE", "+12025550100-+12025550199", id="leading 00"),
        pytest.param("2025550100 - 2025550199", "US", "+12025550100-+12025550199", id="national"),
        pytest.param("202-555-0100-202-555-0199", "US", "+12025550100-+12025550199", id="dashes inside and between"),
        pytest.param("202-555-0100 - 202-555-0199", "US", "+12025550100-+12025550199", id="spaced dash"),
        pytest.param("202 555 0100\u2013202 555 0199", "US", "+12025550100-+12025550199", id="en dash"),
        pytest.param("(202) 555-0100", "US", "+12025550100", id="one number with a dash"),
        pytest.param("202-5550100", "US", "+12025550100", id="one dash, one number"),
        pytest.param("01234-567890", "GB", "+441234567890", id="one dash between unequal halves, one number"),
        pytest.param("0612345-0612399", "DE", "+49612345-+49612399", id="halves that are numbers make a range"),
        pytest.param(
            "+12025550100\n+12025550101,72345", "US", "72345;+12025550100;+12025550101", id="other separators"
        ),
        pytest.param(
            "2025550150\t2025550151\u20282025550152\r\n2025550153\x0b2025550154",
            "US",
            ";".join(f"+1202555015{last}" for last in range(5)),
            id="a pasted column",
        ),
        pytest.param("2025550150.0\n2025550151.0\n", "US", "+12025550150;+12025550151", id="a sheet's column"),
        pytest.param("2025550150-59", "US", "+12025550150-+12025550159", id="last digits of the end"),
        pytest.param("202-555-0150-59", "US", "+12025550150-+12025550159", id="last digits behind other dashes"),
        pytest.param("2025550150\u20132025550159", "US", "+12025550150-+12025550159", id="en dash without blanks"),
        pytest.param("2025550150 - 0159", "US", "+12025550150-+12025550159", id="last digits behind a spaced dash"),
        pytest.param("2025550150 to 2025550159", "US", "+12025550150-+12025550159", id="range in words"),
        *(
            pytest.param(f"2025550150{sign}2025550159", "US", "+12025550150-+12025550159", id=f"range with {sign!a}")
            for sign in (
                "\u2010",
                "\u2011",
                "\u2212",
                "\uff0d",
                "\u2026",
                "~",
                "\u301c",
                "->",
                "\u2192",
                " thru ",
                " al ",
            )
        ),
        pytest.param("202-555-0150\u2010202-555-0159", "US", "+12025550150-+12025550159", id="two kinds of hyphens"),
        pytest.param("01 99 00 00 00 \u00e0 99", "FR", "+33199000000-+33199000099", id="range in French"),
        pytest.param(
            '"2025550150",\'2025550151\n\u201c2025550152\u201d',
            "US",
            "+12025550150;+12025550151;+12025550152",
            id="in the quotes of a sheet",
        ),
        pytest.param("2025550150..2025550159", "US", "+12025550150-+12025550159", id="range with dots"),
        pytest.param("+12025550100-199", "US", "+12025550100-+12025550199", id="three last digits"),
        pytest.param("+49-30-1234-5678", "DE", "+493012345678", id="one number with a dash between its groups"),
        pytest.param("030 1234567-0", "DE", "+493012345670", id="one number with a German direct dial"),
        pytest.param("202\u2011555\u20110150", "US", "+12025550150", id="hyphens that do not break"),
        pytest.param("723", "US", "723", id="short code of three"),
        pytest.param("+12025550100-+12025550110;+12025550105", "US", "+12025550100-+12025550110", id="one inside"),
        pytest.param(
            "+12025550105-+12025550120;+12025550100-+12025550110", "US", "+12025550100-+12025550120", id="overlapping"
        ),
        pytest.param("+12025550100-+12025550100", "US", "+12025550100", id="a range of one"),
    ],
)
def test_pool_is_read_forgivingly_and_written_canonically(text, country, canonical):
    pool = NumberPool.parse(text, country)
    assert str(pool) == canonical
    assert NumberPool.parse(canonical, "US") == pool
    assert bool(pool) is bool(canonical)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("+14045550121;nonsense", "Entry 2 .*name", id="no number"),
        pytest.param("12025550100-049", "same number of digits", id="abbreviated end below the start"),
        pytest.param("+12025550100-+442083661177", "same number of digits", id="unequal lengths"),
        pytest.param("+12025550199-+12025550100", "backwards", id="reversed"),
        pytest.param("+12025550100-+12125550100", "digit wrong", id="larger than an area code"),
        pytest.param("+12025550100-", "both sides", id="no end"),
        pytest.param("2025550150-49", "same number of digits", id="last digits below the start"),
        pytest.param("20255501401", "a digit too many", id="number that is possible in Egypt"),
        pytest.param("+12025550150\n3125550", "Entry 2 .*area code", id="no area code"),
        pytest.param("+49 30 1234500-99", "range or one number", id="range or German direct dial"),
        pytest.param(
            "+46 8-12 34 11-99", "range or one number", id="last digits behind a group that a blank sets apart"
        ),
        pytest.param("+62 812-345-611-99", "range or one number", id="two last digits behind dashes"),
        pytest.param("+81 90-1234-5611-99", "range or one number", id="last digits that may belong to the number"),
        pytest.param("-", "both sides", id="a dash alone"),
        pytest.param("72345-72349", "one by one", id="short codes or one number"),
        pytest.param("72345 - 72349", "one by one", id="range of short codes"),
        pytest.param("012345", "begin with 0", id="short code with a leading zero"),
        pytest.param("+12025550100-+1202555010x", "letters", id="letters at the end"),
        pytest.param("+1 (202) 555-0100 ext. 5", "extension", id="an extension behind a number with a dash"),
        pytest.param("202555010\u2070", "neither", id="a raised digit"),
    ],
)
def test_pool_that_cannot_be_read_says_where_and_why(text, says):
    with pytest.raises(ValueError, match=says) as caught:
        NumberPool.parse(text, "US")
    assert "2025550100" not in str(caught.value)


def test_pool_gives_its_ranges_in_ascending_order():
    pool = NumberPool.parse("+14045550121;+12025550100-+12025550199", "US")
    assert list(pool) == [NumberRange(12025550100, 12025550199), NumberRange(14045550121, 14045550121)]
    assert pool.spans == tuple(pool)


@pytest.mark.parametrize(
    ("number", "held"),
    [
        ("+12025550100", True),
        ("+12025550150", True),
        ("+12025550199", True),
        ("12025550150", True),
        ("+12025550200", False),
        ("+12025550099", False),
        ("72345", True),
        ("+72345", False),
        ("72346", False),
        ("", False),
        ("+", False),
        ("+012025550150", False),
        ("+1202555015\u0660", False),
        ("+1 202 555 0150", False),
        ("PortSIP", False),
        ("9" * 5000, False),
    ],
)
def test_pool_holds(number, held):
    assert (number in NumberPool.parse("+12025550100-+12025550199;72345", "US")) is held


BASE = 12025550000
SPANS = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 15)), max_size=8)


def pool_and_numbers(spans):
    ends = [(BASE + start, BASE + start + length) for start, length in spans]
    pool = NumberPool.parse(";".join(f"+{first}-+{last}" for first, last in ends), "US")
    return pool, {number for first, last in ends for number in range(first, last + 1)}


@given(SPANS)
def test_pool_holds_exactly_what_was_listed(spans):
    pool, numbers = pool_and_numbers(spans)
    assert {number for number in range(BASE - 5, BASE + 150) if f"+{number}" in pool} == numbers
    assert {number for first, last in pool for number in range(first, last + 1)} == numbers
    assert NumberPool.parse(str(pool), "US") == pool
    assert hash(NumberPool.parse(str(pool), "US")) == hash(pool)


@given(SPANS, SPANS)
def test_overlap_is_found_if_and_only_if_a_number_is_in_both(some, others):
    (mine, my_numbers), (theirs, their_numbers) = pool_and_numbers(some), pool_and_numbers(others)
    common = mine.overlap(theirs)
    assert common == theirs.overlap(mine)
    if common is None:
        assert not my_numbers & their_numbers
    else:
        ((first, last),) = NumberPool.parse(common, "US")
        assert set(range(first, last + 1)) <= my_numbers & their_numbers
