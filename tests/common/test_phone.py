import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms_common.phone import (
    InvalidNumber,
    NumberPool,
    NumberRange,
    digits,
    is_alphanumeric_sender,
    is_country,
    is_short_code,
    mask,
    normalise,
    normalise_sender,
)

COUNTRIES = ["US", "CA", "GB", "DE", "IT", "AU", "IN", "AR", "BR", "SG", "FR", "MX"]
WRITTEN = st.from_regex(r"\+?0{0,2}[0-9]{4,16}", fullmatch=True) | st.text(
    st.sampled_from("0123456789+-. ()"), max_size=24
)


@pytest.mark.parametrize(
    ("written", "country", "e164"),
    [
        pytest.param("+14045550121", "US", "+14045550121", id="E.164"),
        pytest.param("+1 (404) 555-0121", "GB", "+14045550121", id="brackets, spaces, dashes"),
        pytest.param("+1.404.555.0121", "US", "+14045550121", id="dots"),
        pytest.param("404/555-0121", "US", "+14045550121", id="slash"),
        pytest.param("tel:+1-404-555-0121", "US", "+14045550121", id="tel URI"),
        pytest.param("TEL:4045550121", "US", "+14045550121", id="tel URI, national"),
        pytest.param("0014045550121", "US", "+14045550121", id="leading 00 where 011 is dialled"),
        pytest.param("00 44 20 8366 1177", "DE", "+442083661177", id="leading 00 where it is dialled"),
        pytest.param("011 44 20 8366 1177", "US", "+442083661177", id="the country's own international prefix"),
        pytest.param("0011 1 404 555 0121", "AU", "+14045550121", id="Australia's 0011"),
        pytest.param("14045550121", "US", "+14045550121", id="missing plus"),
        pytest.param("14045550121", "us", "+14045550121", id="country in lower case"),
        pytest.param("447911123456", "US", "+447911123456", id="missing plus, foreign"),
        pytest.param("14045550121", "GB", "+14045550121", id="missing plus, foreign to Britain"),
        pytest.param("4915123456789", "DE", "+4915123456789", id="missing plus where both readings are possible"),
        pytest.param("4045550121", "US", "+14045550121", id="national"),
        pytest.param("07911 123456", "GB", "+447911123456", id="national with trunk zero"),
        pytest.param("+44 (0)20 8366 1177", "GB", "+442083661177", id="trunk zero in brackets"),
        pytest.param("02 3661 8300", "IT", "+390236618300", id="Italy keeps its zero"),
        pytest.param("+1 202 555 0143", "US", "+12025550143", id="fictitious but possible"),
        pytest.param("+1 555 123 4567", "US", "+15551234567", id="unassigned area code"),
        pytest.param("5551234567", "US", "+15551234567", id="unassigned area code, national"),
        pytest.param(" +1\u00a0404\u2011555\u20110121 ", "US", "+14045550121", id="no-break space and hyphen"),
        pytest.param("\u202a+14045550121\u202c", "US", "+14045550121", id="invisible direction marks"),
        pytest.param(
            "\uff0b\uff11\uff14\uff10\uff14\uff15\uff15\uff15\uff10\uff11\uff12\uff11",
            "US",
            "+14045550121",
            id="full-width",
        ),
        pytest.param("٤٠٤٥٥٥٠١٢١", "US", "+14045550121", id="Arabic-Indic digits"),
        pytest.param("+14045550121", "XX", "+14045550121", id="a plus needs no country"),
        pytest.param("72345", "US", "72345", id="short code of five"),
        pytest.param("723-456", "US", "723456", id="short code of six with a dash"),
        pytest.param("+72345", "US", "72345", id="short code with a plus"),
        pytest.param("404555", "XX", "404555", id="short code without a country"),
        pytest.param("+49 1234", "DE", "491234", id="six digits are a short code, whatever they begin with"),
    ],
)
def test_number_is_normalised(written, country, e164):
    assert normalise(written, country) == e164


@pytest.mark.parametrize(
    ("written", "country", "says"),
    [
        pytest.param("", "US", "empty", id="empty"),
        pytest.param(" - ", "US", "empty", id="nothing but filling"),
        pytest.param("+", "US", "empty", id="a plus alone"),
        pytest.param("555-0121", "US", "area code", id="no area code"),
        pytest.param("911", "US", "short", id="emergency number"),
        pytest.param("+1911", "US", "short", id="international emergency number"),
        pytest.param("1234", "DE", "short", id="shorter than any E.164 number"),
        pytest.param("+1 404 555 01211", "US", "long", id="too long"),
        pytest.param("+123456789012345678901", "US", "long", id="far too long"),
        pytest.param("1" * 10_000, "US", "long", id="endless"),
        pytest.param("+999 123 456 789", "US", "country code", id="no such country code"),
        pytest.param("4045550121", "XX", "country", id="unknown country"),
        pytest.param("1-800-FLOWERS", "US", "digits", id="letters"),
        pytest.param("+14045550121x12", "US", "digits", id="extension"),
        pytest.param("+14045550121;ext=12", "US", "digits", id="extension in a tel URI"),
        pytest.param("alice@example.com", "US", "digits", id="mail address"),
        pytest.param("+1404+5550121", "US", "digits", id="plus inside"),
        pytest.param("++14045550121", "US", "digits", id="two pluses"),
        pytest.param("14045550121\x00", "US", "digits", id="a NUL"),
        pytest.param("PortSIP", "US", "digits", id="alphanumeric sender"),
    ],
)
def test_what_is_no_number_is_refused_with_a_reason(written, country, says):
    with pytest.raises(InvalidNumber, match=says):
        normalise(written, country)


def normalised_or_refusal(written, country):
    try:
        return normalise(written, country), None
    except InvalidNumber as refusal:
        return None, str(refusal)


@settings(max_examples=400)
@given(WRITTEN, st.sampled_from(COUNTRIES))
def test_normalised_number_has_one_shape_and_stays_as_it_is(written, country):
    number, refusal = normalised_or_refusal(written, country)
    if refusal is None:
        assert re.fullmatch(r"\+[1-9][0-9]{6,14}|[0-9]{5,6}", number)
        assert normalise(number, "US") == number


@settings(max_examples=400)
@given(st.text(st.sampled_from("0123456789+-. ()ab\u00a0\u0664"), max_size=40), st.sampled_from([*COUNTRIES, "XX"]))
def test_refusal_never_holds_the_whole_number(written, country):
    number, refusal = normalised_or_refusal(written, country)
    if number is None:
        plain = re.sub(r"\D", "", written)
        assert len(plain) < 3 or plain not in re.sub(r"\D", "", refusal)


@pytest.mark.parametrize(
    ("sender", "fit"),
    [
        ("PortSIP", True),
        ("My Shop", True),
        ("A-b_c+d&e 1", True),
        ("A", True),
        ("1A", True),
        ("ABCDEFGHIJK", True),
        ("ABCDEFGHIJKL", False),
        ("12345", False),
        ("+14045550121", False),
        ("", False),
        ("   ", False),
        ("A.B", False),
        ("Müller", False),
        ("Shop\n", False),
        ("Shop#", False),
    ],
)
def test_alphanumeric_sender_has_bandwidths_shape(sender, fit):
    assert is_alphanumeric_sender(sender) is fit


@pytest.mark.parametrize(
    ("sender", "carried"), [("My Shop", "My Shop"), ("(404) 555-0121", "+14045550121"), ("72345", "72345")]
)
def test_sender_is_a_number_a_short_code_or_a_name(sender, carried):
    assert normalise_sender(sender, "US") == carried


@pytest.mark.parametrize("sender", ["", "A name too long", "Müller", "404"])
def test_what_is_neither_number_nor_name_is_no_sender(sender):
    with pytest.raises(InvalidNumber):
        normalise_sender(sender, "US")


@pytest.mark.parametrize(("country", "known"), [("US", True), ("DE", True), ("us", False), ("XX", False), ("", False)])
def test_country_is_one_with_a_numbering_plan(country, known):
    assert is_country(country) is known


@pytest.mark.parametrize(
    ("code", "short"),
    [("72345", True), ("723456", True), ("7234", False), ("7234567", False), ("+72345", False), ("72345\n", False)],
)
def test_short_code_is_five_or_six_digits(code, short):
    assert is_short_code(code) is short


@pytest.mark.parametrize(
    ("number", "word"),
    [
        ("+14045550121", "14045550121"),
        ("14045550121", "14045550121"),
        ("72345", "72345"),
        ("My Shop", "My_Shop"),
        ("A.b*c#d", "A_b_c_d"),
        ("", "_"),
        ("é", "_"),
        ("x" * 500, "x" * 32),
    ],
)
def test_digits_is_one_word_of_a_routing_key(number, word):
    assert digits(number) == word


@given(st.text())
def test_digits_never_breaks_a_routing_key(number):
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,32}", digits(number))


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+14045550121", "+1404***0121"),
        ("14045550121", "1404***0121"),
        ("+1 (404) 555-0121", "+1404***0121"),
        ("4045550121", "4045***121"),
        ("+447911123456", "+4479***3456"),
        ("123456789", "12***89"),
        ("5550121", "55***21"),
        ("72345", "***45"),
        ("911", "***"),
        ("", "***"),
        ("PortSIP", "***"),
        ("call 14045550121", "***"),
        ("٤٠٤٥٥٥٠١٢١", "***"),
    ],
)
def test_mask(number, masked):
    assert mask(number) == masked


@given(st.text(st.sampled_from("0123456789+- ٣"), max_size=30) | st.text())
def test_mask_is_ascii_and_hides_at_least_three_digits(number):
    masked = mask(number)
    assert masked.isascii()
    assert "***" in masked
    plain = re.sub(r"\D", "", number)
    assert len(re.sub(r"\D", "", masked)) <= max(0, len(plain) - 3)


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
        pytest.param("+14045550121;nonsense", "Entry 2 .*digits", id="no number"),
        pytest.param("12025550100-199", "same number of digits", id="abbreviated end"),
        pytest.param("+12025550100-+442083661177", "same number of digits", id="unequal lengths"),
        pytest.param("+12025550199-+12025550100", "backwards", id="reversed"),
        pytest.param("+12025550100-+12125550100", "digit wrong", id="larger than an area code"),
        pytest.param("+12025550100-", "both sides", id="no end"),
        pytest.param("-", "both sides", id="a dash alone"),
        pytest.param("72345-72349", "one by one", id="short codes or one number"),
        pytest.param("72345 - 72349", "one by one", id="range of short codes"),
        pytest.param("012345", "begin with 0", id="short code with a leading zero"),
        pytest.param("+12025550100-+1202555010x", "same number|digits", id="letters at the end"),
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
