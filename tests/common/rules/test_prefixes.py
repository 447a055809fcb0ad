"""Prefixes and lengths of numbers: read with a country, and refused when no number has them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms_common.phone import normalise
from sms_common.rules import InvalidMask
from sms_common.rules.prefixes import impossible_lengths, international_prefixes
from tests.common.rules.some_numbers import COUNTRIES, some_number


@pytest.mark.parametrize(
    ("written", "country", "kept"),
    [
        ("44;+49\n0033", "US", "+44;+49;+33"),
        ("+;00;011", "US", "+;+;+"),
        ("1;1202;+1 (202) 555", "US", "+1;+1202;+1202555"),
        ("214", "US", "+1214"),
        ("020;07911;44;4420;0", "GB", "+4420;+447911;+44;+4420;+44"),
        ("0151;49151;1", "DE", "+49151;+49151;+1"),
        ("06", "IT", "+3906"),
        ("+521;01152", "US", "+52;+52"),
        ('1202.0\n\'1303\n"1404"', "US", "+1202;+1303;+1404"),
        ("1 202;1-303;+44 20;011 44;+44 (0)20", "US", "+1202;+1303;+4420;+44;+4420"),
        ("01632 960;0044 20;44 20", "GB", "+441632960;+4420;+4420"),
    ],
)
def test_a_prefix_is_kept_as_numbers_in_international_form_begin(written, country, kept):
    assert international_prefixes(written, country) == kept
    assert international_prefixes(kept, country) == kept


@pytest.mark.parametrize(
    ("written", "country", "says"),
    [
        ("+999", "US", "No number begins with"),
        ("0", "US", "No number begins with"),
        ("+1202555014012", "US", "No number begins with"),
        ("1202***", "US", "must be digits"),
        ("1202XXX", "US", "must be digits"),
        ("202", "US", r"\+1202 or \+202"),
        ("44;447", "US", r"Entry 2: .*\+1447 or \+447"),
        ("7911", "GB", r"\+447911 or \+7911"),
        ("55", "MX", r"\+5255 or \+55"),
        *((empty, "US", "must be digits") for empty in ("-", "--", "\u2014", "()", "..", "1202\u00b2")),
        *(
            (several, "US", "one prefix or several")
            for several in ("1202 1303", "1202/1303", "1202-1303", "+1202 1303")
        ),
        ("0171 0172", "DE", "one prefix or several"),
        ("44\u201349", "DE", "one prefix or several"),
    ],
)
def test_a_prefix_that_no_number_has_or_that_may_be_two_is_refused(written, country, says):
    with pytest.raises(InvalidMask, match=says):
        international_prefixes(written, country)


PREFIXES = st.text("0123456789+ -()/.;", max_size=12) | st.builds(
    lambda head, rest: head + rest,
    st.sampled_from(["+", "00", "011", "0", "1", "+1", "44", "+44", "+521", "01", "7", "8"]),
    st.text("0123456789 ", max_size=7),
)


@settings(max_examples=60, deadline=None)  # a tenth of a second each
@given(PREFIXES, st.sampled_from(COUNTRIES))
def test_for_each_prefix_that_is_kept_there_is_a_number_that_begins_with_it(written, country):
    try:
        kept = international_prefixes(written, country)
    except InvalidMask:
        return
    assert international_prefixes(kept, country) == kept
    for prefix in kept.split(";") if kept else ():
        masks = (prefix + "*" * (length - len(prefix)) for length in range(8, 17) if length > len(prefix))
        assert any(some_number(mask) for mask in masks) or normalise(prefix, "") == prefix, prefix


@pytest.mark.parametrize(
    ("lengths", "prefixes", "impossible"),
    [
        ([2, 3, 6, 7, 15, 16, 20], "", [2, 16, 20]),
        ([10, 11, 12], "+1", [10, 12]),
        ([11, 12, 13], "+44", [13]),
        ([11, 12], "+1;+44", []),
        ([5], "+1", []),
    ],
)
def test_a_length_that_no_number_has_is_known(lengths, prefixes, impossible):
    assert impossible_lengths(lengths, prefixes) == impossible
