"""Patterns of numbers: read with a country, and refused when no number has them."""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms_common.phone import NumberPool, normalise
from sms_common.rules import InvalidMask
from sms_common.rules.masks import NumberMask
from sms_common.rules.writing import current, international, unmatchable_entries
from tests.common.rules.some_numbers import COUNTRIES, some_number

ONE_DIGIT = "write * for one digit"
KINDS = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)


@pytest.mark.parametrize(
    ("written", "country", "kept"),
    [
        ("202555****", "US", "+1202555****"),
        ("(202) 555-****", "US", "+1202555****"),
        ("001202555****", "US", "+1202555****"),
        ("0111202555****", "US", "+1202555****"),
        ("1-202-555-****", "US", "+1202555****"),
        ("tel:+1202555****", "US", "+1202555****"),
        ("\u202a+1202555\uff0a***\u202c", "US", "+1202555****"),
        ("+1*********5", "US", "+1*********5"),
        ("*******0140", "US", "+*******0140"),
        ("020 7946 ****", "GB", "+44207946****"),
        ("+44 (0)20 7946 ****", "US", "+44207946****"),
        ("0151********", "DE", "+49151********"),
        ("55 5555 01**", "MX", "+5255555501**"),
        ("+521555555****", "US", "+52555555****"),
        ("011 15 2345-****", "AR", "+549112345****"),
    ],
)
def test_a_national_pattern_becomes_international_as_a_number_does(written, country, kept):
    assert international(written, country) == kept
    assert international(kept, country) == kept
    assert unmatchable_entries(kept) == []


@pytest.mark.parametrize(
    ("written", "country"),
    [
        *(
            (text, "US")
            for text in ("*", "1900*", "+1900*", "011*", "***-****", "+44*******", "44*******", "+999*******")
        ),
        *((text, "US") for text in ("1202555XXXX", "202-555-xxxx", "NXXNXXXXXX", "_1NXXNXXXXXX", "1202555nnnn")),
        *((text, "US") for text in ("1202555....", "1202555\u2026", "1202555####", "1202555????", "1202555----")),
        *((text, "US") for text in ("1202555[0-9]{4}", r"^1202555\d{4}$", "1202555.*", "^1202555.*", "1202555%")),
        *(
            (text, "US")
            for text in ("1202555\u0425\u0425\u0425\u0425", "1202555\u00d7\u00d7\u00d7\u00d7", "1XX", "XXXX")
        ),
        *((text, "US") for text in ("5550140", "202555", "202", "1202", "+1202", "+1202555", "12", "120255501")),
        *((text, "US") for text in ("12025550140x", "1202555014O", "###", "+", "12a4*", "a*")),
        ("07700*", "GB"),
        ("07700", "GB"),
        ("0151234*", "DE"),
    ],
)
def test_what_can_match_no_number_is_refused_with_the_way_to_write_it(written, country):
    with pytest.raises(InvalidMask, match="(?i)" + ONE_DIGIT.replace("*", r"\*")):
        international(written, country)


@pytest.mark.parametrize(
    ("written", "sender"),
    [
        *(
            (name, name)
            for name in ("user@example.com", "12025550140@vtext.com", "Bank of America", "Amazon.com", "AT&T")
        ),
        *((name, name) for name in ("N26", "3UK", "Yahoo!", "1800Flowers", "VM-1234567", "XXX", "T-Mobile")),
        *((name, name.upper()) for name in ("M\u00fcller GmbH", "\u0411\u0430\u043d\u043a", "User@Example.com")),
        *((code, code) for code in ("611", "7726", "40404", "90999", "729725")),
        ("short code 202555", "202555"),
        ("short code 20255-20259", "20257"),
        ("20000 - 20009", "20005"),
    ],
)
def test_whoever_can_write_can_be_blocked(written, sender):
    kept = international(written, "US")

    assert NumberMask.parse(kept).match(sender)
    assert international(kept, "US") == kept


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("12025550140\n12025550141\r\n2025550142", "+12025550140;+12025550141;+12025550142"),
        ("12025550140,12025550141\t12025550142\u20282025550143", "+12025550140;+12025550141;+12025550142;+12025550143"),
        ("12025550140\u201312025550149", "+12025550140-+12025550149"),
        ("202-555-0140 - 202-555-0149", "+12025550140-+12025550149"),
        ("2025550150-59", "+12025550150-+12025550159"),
        ("2025550140.0", "+12025550140"),
        ("'12025550140", "+12025550140"),
        ("+1\u2011202\u2011555\u20110140\u2069", "+12025550140"),
        ("+5215555550100", "+525555550100"),
        ("code 7726", "short code 7726"),
        ('"202555****"\n\'303555****\n="+1404555****"', "+1202555****;+1303555****;+1404555****"),
        ("\u201cAmazon\u201d; 'My Shop'", "Amazon;My Shop"),
        ("mailto:user@example.com; Bob <user2@example.com>", "user@example.com;user2@example.com"),
        ("2025550140 through 2025550149", "+12025550140-+12025550149"),
        ("2025550140~49", "+12025550140-+12025550149"),
        ("(202) 555-0140-49", "+12025550140-+12025550149"),
        ("202-555-0140\u201049", "+12025550140-+12025550149"),
        ("(202) 555-0140..49", "+12025550140-+12025550149"),
        ("(202) 555-0140\u202649", "+12025550140-+12025550149"),
        ("202-555-0140..202-555-0149", "+12025550140-+12025550149"),
    ],
)
def test_masks_forgive_what_numbers_and_pools_forgive(written, kept):
    assert international(written, "US") == kept


def test_which_entry_is_wrong_is_told_and_no_whole_number_with_it():
    with pytest.raises(InvalidMask) as refused:
        international("+12025550140\n1202555014O", "US")

    assert str(refused.value).startswith("Entry 2: ")
    assert "2555014" not in str(refused.value)


@pytest.mark.parametrize("word", ["any", "ALL", "none", "everyone", "NULL", "n/a"])
def test_a_word_for_everybody_or_nobody_is_no_senders_name(word):
    with pytest.raises(InvalidMask, match="leave the field empty"):
        international(word, "US")
    assert unmatchable_entries(word)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ('"Amazon, Inc."', "Entry 1: .*quotation mark at one end"),
        ("+1 (202) 555-0140 ext. 5", r"^\+1202\*\*\*0140 ext\. 5: That holds an extension"),
        ("12025550140 or 12025550141", "more than one phone number"),
        ("1.2E10", r"write \* for one digit"),
        ("202555014\u2070", r"write \* for one digit"),
        ("555****", "none has this many digits"),
    ],
)
def test_what_a_mask_holds_besides_numbers_is_named(written, says):
    with pytest.raises(InvalidMask, match=says):
        international(written, "US")


def test_a_number_with_a_dash_that_may_be_a_range_is_refused():
    with pytest.raises(InvalidMask, match="one number or a range"):
        international("98765-43210", "IN")


def test_what_a_former_version_kept_begins_to_match_where_it_can():
    kept = "202555****;1900*;1202555XXXX;+5215555550100;ACME;12345;202555;+12025550140-+12025550149"

    now = current(kept, "US")

    assert now == "+1202555****;1900*;1202555XXXX;+525555550100;ACME;12345;202555;+12025550140-+12025550149"
    assert len(unmatchable_entries(now)) == 2
    assert NumberMask.parse(now).match("+12025550199")


@st.composite
def numbers(draw):
    """A number of a country, in one of the ways in which it is written there."""
    country = draw(st.sampled_from(COUNTRIES))
    example = phonenumbers.example_number_for_type(country, draw(st.sampled_from(KINDS)))
    assert example is not None
    form = draw(
        st.sampled_from([phonenumbers.PhoneNumberFormat.NATIONAL, phonenumbers.PhoneNumberFormat.INTERNATIONAL])
    )
    return country, phonenumbers.format_number(example, form)


@given(numbers(), st.integers(1, 5))
def test_the_mask_of_a_national_number_matches_the_number(written, stars):
    country, number = written
    places = [place for place, sign in enumerate(number) if sign.isdigit()][-stars:]
    mask = "".join("*" if place in places else sign for place, sign in enumerate(number))

    assert NumberMask.parse(international(mask, country)).match(normalise(number, country))


PATTERNS = st.text("0123456789***** +-()XNx", max_size=16) | st.builds(
    lambda head, stars, tail: head + "*" * stars + tail,
    st.sampled_from(["", "+1", "1", "202", "+44", "0044", "07", "01", "+52", "+521", "+49", "0151", "011"]),
    st.integers(0, 12),
    st.text("0123456789", max_size=8),
)


@settings(max_examples=300)
@given(PATTERNS, st.sampled_from(COUNTRIES))
def test_for_each_pattern_that_is_kept_there_is_a_number_that_it_matches(written, country):
    try:
        kept = international(written, country)
    except InvalidMask:
        return
    for entry in filter(lambda entry: "*" in entry, kept.split(";")):
        number = some_number(entry)
        assert number is not None, entry
        assert NumberMask.parse(entry).match(number)


@st.composite
def written_ranges(draw):
    """A range of a country's numbers as people write it: its end in full or its last two digits, with any sign."""
    country, first = draw(numbers())
    places = [place for place, sign in enumerate(first) if sign.isdigit()][-2:]
    first, last = (
        "".join(sign if place not in places else digit for place, sign in enumerate(first)) for digit in "19"
    )
    end = draw(st.sampled_from([last, "99"]))
    return (
        country,
        f"{first}{draw(st.sampled_from(RANGE_SIGNS))}{end}",
        f"{normalise(first, country)}-{normalise(last, country)}",
    )


RANGE_SIGNS = (
    "-",
    " - ",
    "\u2010",
    "\u2011",
    "\u2012",
    "\u2013",
    "\u2014",
    "\u2212",
    "\uff0d",
    "~",
    "\u2026",
    "..",
    " to ",
)


@settings(max_examples=400, deadline=None)
@given(written_ranges())
def test_a_range_in_a_mask_and_in_a_pool_is_the_one_that_is_meant_or_refused(given_):
    country, written, meant = given_
    for read in (lambda: international(written, country), lambda: str(NumberPool.parse(written, country))):
        try:
            kept = read()
        except ValueError:
            continue
        assert kept == meant


@given(st.text(max_size=30), st.sampled_from(COUNTRIES))
def test_any_text_is_kept_in_a_form_that_stays_or_is_refused(written, country):
    try:
        kept = international(written, country)
    except InvalidMask:
        return
    assert international(kept, country) == kept
    NumberMask.parse(kept)
