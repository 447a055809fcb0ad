"""What people write as a number: read as meant, or refused with a reason."""

import json
import re
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sms_common.input.pasted import is_invisible
from sms_common.phone import (
    SEPARATORS,
    InvalidNumber,
    digits,
    from_carrier,
    is_alphanumeric_sender,
    is_short_code,
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
        pytest.param("525555550100", "MX", "+525555550100", id="missing plus in a country without a trunk prefix"),
        pytest.param("393123456789", "IT", "+393123456789", id="missing plus in Italy"),
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
        pytest.param("911", "US", "911", id="short code of three"),
        pytest.param("+1911", "US", "1911", id="short code of four with a plus"),
        pytest.param("810 44 20 8366 1177", "RU", "+442083661177", id="Russia's international prefix"),
        pytest.param("010 1 404 555 0121", "JP", "+14045550121", id="Japan's international prefix"),
        pytest.param("0011 65 6123 4567", "AU", "+6561234567", id="0011 before what could follow 00 as well"),
        pytest.param("0061 491 570 156", "AU", "+61491570156", id="00 in Australia"),
        pytest.param("3125550100.0", "US", "+13125550100", id="a sheet's .0"),
        pytest.param("3125550100.00", "US", "+13125550100", id="a sheet's .00"),
        pytest.param("3125550100,0", "US", "+13125550100", id="a sheet's ,0"),
        pytest.param("(312) 555-0100.0", "US", "+13125550100", id=".0 behind a number with filling"),
        pytest.param("+13125550100.0", "US", "+13125550100", id=".0 behind E.164"),
        pytest.param("72345.0", "US", "72345", id=".0 behind a short code"),
        pytest.param("030123456.0", "DE", "+4930123456", id=".0 where a longer number is possible"),
        pytest.param("030123456.000", "DE", "+4930123456", id=".000 where a longer number is possible"),
        pytest.param("312555.0000", "US", "+13125550000", id="a dot before four zeros is filling"),
        pytest.param("01.23.45.67.00", "FR", "+33123456700", id="dots between pairs"),
        pytest.param("2.025.550.150", "US", "+12025550150", id="dots between thousands"),
        pytest.param("'2025550140", "US", "+12025550140", id="a sheet's apostrophe"),
        pytest.param('="2025550140"', "US", "+12025550140", id="a sheet's formula"),
        pytest.param("\u061c+13125550100", "US", "+13125550100", id="Arabic letter mark"),
        pytest.param("1\u00b7312\u00b7555\u00b70100", "US", "+13125550100", id="middle dots"),
        pytest.param("312\u2022555\u20220100", "US", "+13125550100", id="bullets"),
        pytest.param("312\u200b555\u20600100\ufeff", "US", "+13125550100", id="zero-width marks"),
        pytest.param("14045550121\x00", "US", "+14045550121", id="a NUL at the end"),
        pytest.param("sip:+13125550100@pbx.example.com", "US", "+13125550100", id="SIP address"),
        pytest.param("sips:3125550100@h;user=phone", "US", "+13125550100", id="SIP address, national"),
        pytest.param("sip:%2B13125550100:secret@h", "US", "+13125550100", id="SIP address, escaped, with a password"),
        pytest.param('"Bob" <sip:+13125550100;npdi@h>;tag=1', "US", "+13125550100", id="SIP address with a name"),
        pytest.param("tel:+1-202-555-0140;phone-context=x.example", "US", "+12025550140", id="tel URI with a context"),
        pytest.param("tel:555-0140;phone-context=+1-202", "US", "+12025550140", id="local tel URI in its context"),
        pytest.param("sms:+12025550140?body=hi", "US", "+12025550140", id="sms URI"),
        pytest.param("+5215555550100", "US", "+525555550100", id="Mexico's old mobile form"),
        pytest.param("5215555550100", "MX", "+525555550100", id="Mexico's old mobile form without its plus"),
        pytest.param("00 52 1 55 5555 0100", "US", "+525555550100", id="Mexico's old mobile form behind 00"),
        pytest.param("044 55 5555 0100", "MX", "+525555550100", id="Mexico's old trunk prefix"),
        pytest.param("+54 9 11 2345 6789", "US", "+5491123456789", id="Argentina keeps its 9"),
        pytest.param("011 15 2345 6789", "AR", "+5491123456789", id="Argentina's 15 becomes its 9"),
        pytest.param("+229 97 12 34 56", "US", "+2290197123456", id="Benin's old form"),
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
        pytest.param("555-0121", "US", "lacks its area code", id="no area code"),
        pytest.param("472-1033", "US", "lacks its area code", id="no area code, possible abroad"),
        pytest.param("12", "DE", "short", id="shorter than any short code"),
        pytest.param("+1 404 555 01211", "US", "long", id="too long"),
        pytest.param("+123456789012345678901", "US", "long", id="far too long"),
        pytest.param("1" * 10_000, "US", "long", id="endless"),
        pytest.param("1" * 80, "US", "long", id="longer than a number"),
        pytest.param("+999 123 456 789", "US", "country code", id="no such country code"),
        pytest.param("00999123456789", "DE", "country code", id="no such country code behind 00"),
        pytest.param("4045550121", "XX", "country", id="unknown country"),
        pytest.param("312-555-01001", "US", "a digit too many for a US number; write \\+", id="a digit too many"),
        pytest.param("20255501401", "US", "a digit too many for a US number; write \\+", id="possible in Egypt"),
        pytest.param("626952009", "US", "a digit too few for a US number", id="a digit missing"),
        pytest.param("(312) 555-010", "US", "a digit too few", id="a digit missing, in brackets"),
        pytest.param("1312555010", "US", "begins as no US number does", id="a digit missing behind the 1"),
        pytest.param("12025550140", "MX", "a digit too many for an MX number; write \\+", id="a US number in Mexico"),
        pytest.param("15555550100", "MX", "a digit too many", id="Mexico's old 1 alone"),
        pytest.param("447911123456", "US", "foreign number without its plus; write \\+44", id="British in the US"),
        pytest.param("5215555550100", "US", "foreign number without its plus; write \\+52", id="old Mexican in the US"),
        pytest.param("12025550140", "DE", "foreign number without its plus; write \\+1", id="American in Germany"),
        pytest.param("2025550140 2025550141", "US", "too many digits", id="two numbers apart by a blank"),
        pytest.param("0081 90 1234 5678", "ID", "two numbers", id="00 or the prefix 008"),
        pytest.param("4155550100.5", "US", "decimals", id="decimals"),
        pytest.param("030123456.5", "DE", "decimals", id="decimals where a longer number is possible"),
        pytest.param("030123456.25", "DE", "decimals", id="two decimals"),
        pytest.param("030123456.125", "DE", "decimals", id="three decimals"),
        pytest.param("2.02555E+09", "US", "rounded", id="rounded by a sheet"),
        pytest.param("2,02555e9", "US", "rounded", id="rounded by a sheet with commas"),
        pytest.param("1-800-FLOWERS", "US", "letters", id="letters"),
        pytest.param("2025550140 (home)", "US", "letters", id="a remark"),
        pytest.param("+14045550121x12", "US", "extension", id="extension"),
        pytest.param("404 555 0121 ext. 12", "US", "extension", id="extension in a word"),
        pytest.param("+14045550121;ext=12", "US", "extension", id="extension as a parameter"),
        pytest.param("tel:+14045550121;ext=12", "US", "extension", id="extension in a tel URI"),
        pytest.param("tel:+14045550121,,12", "US", "extension", id="extension behind pauses"),
        pytest.param("2025550140;2025550141", "US", "more than one", id="two numbers"),
        pytest.param("2025550140 or 2025550141", "US", "more than one", id="one number or another"),
        pytest.param("030 1234567/68", "DE", "two numbers", id="two numbers with one stem"),
        pytest.param("alice@example.com", "US", "e-mail", id="mail address"),
        pytest.param("mailto:4045550121@example.com", "US", "e-mail", id="mail URI"),
        pytest.param("sip:alice@example.com", "US", "name", id="SIP address of a name"),
        pytest.param("+1404+5550121", "US", "plus", id="plus inside"),
        pytest.param("++14045550121", "US", "plus", id="two pluses"),
        pytest.param("1404\x005550121", "US", "U\\+0000", id="a NUL inside"),
        pytest.param("2025550140\u260e", "US", "BLACK TELEPHONE", id="a picture"),
        pytest.param("*67 2025550140", "US", "dialling code", id="a dialling code"),
        pytest.param("2,025,550,140", "US", "comma", id="commas between thousands"),
        pytest.param("PortSIP", "US", "name", id="alphanumeric sender"),
        pytest.param("Bank of America", "US", "name", id="name of several words"),
    ],
)
def test_what_is_no_number_is_refused_with_a_reason(written, country, says):
    with pytest.raises(InvalidNumber, match=says):
        normalise(written, country)


CASES = Path(__file__).parents[2] / "data" / "cases"


def case(name):
    return json.loads((CASES / f"{name}.json").read_text())


@pytest.mark.parametrize("request_", case("13-float-and-slip-become-foreign")["input"], ids=lambda one: one["to"])
def test_slip_or_float_of_a_sheet_never_becomes_a_number_abroad(request_):
    country = "MX" if "MX" in request_["tenant_id"] else "US"
    number, refusal = normalised_or_refusal(request_["to"], country)
    code = "+52" if country == "MX" else "+1"
    whole = re.fullmatch(r"(\d{10})\.0+", request_["to"])
    assert number == code + whole[1] if whole else refusal


@pytest.mark.parametrize(
    ("written", "e164"),
    case("13-float-and-slip-become-foreign")["regression"]["still taken"].items(),
)
def test_what_is_beyond_doubt_is_still_taken(written, e164):
    assert normalise(written, "US") == e164


@pytest.mark.parametrize("request_", case("18-uri-forms")["input"], ids=lambda one: ascii(one["to"]))
def test_uri_extension_name_or_mark_is_read_or_named(request_):
    number, refusal = normalised_or_refusal(request_["to"], "US")
    assert number == "+13125550100" or re.search("extension|name", refusal)
    assert (number is None) == bool(re.search("ext|x12|SUPPORT", request_["to"]))


@pytest.mark.parametrize(
    ("written", "country", "e164"),
    [
        ("447911123456", "US", "+447911123456"),
        ("12025550140", "GB", "+12025550140"),
        ("12025550140", "MX", "+12025550140"),
        ("2025550140", "US", "+12025550140"),
        ("4915123456789", "DE", "+4915123456789"),
    ],
)
def test_tenant_may_allow_foreign_numbers_without_plus(written, country, e164):
    assert normalise(written, country, foreign_without_plus=True) == e164


def test_what_is_no_number_anywhere_is_refused_with_foreign_ones_allowed():
    with pytest.raises(InvalidNumber):
        normalise("99912345678901", "US", foreign_without_plus=True)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        pytest.param("+12025550143", "+12025550143", id="E.164"),
        pytest.param("12025550143", "+12025550143", id="without plus"),
        pytest.param(" +1 202 555 0143\u2069", "+12025550143", id="filling"),
        pytest.param("0044 20 8366 1177", "+442083661177", id="00"),
        pytest.param("+5215555550100", "+525555550100", id="Mexico's old form"),
        pytest.param("5215555550100", "+525555550100", id="Mexico's old form without plus"),
        pytest.param("123", "123", id="short code of three"),
        pytest.param("+72345", "72345", id="short code with a plus"),
        pytest.param("AMAZON", "AMAZON", id="name"),
        pytest.param(" Amazon.com ", "Amazon.com", id="name with blanks at its ends"),
        pytest.param("user@example.com", "user@example.com", id="e-mail address"),
        pytest.param("", "", id="nothing"),
        pytest.param(" \u200b", "", id="nothing to see"),
        pytest.param("+999123456789", "+999123456789", id="a country code that no plan knows"),
        pytest.param("99999999999", "+99999999999", id="the same without plus"),
        pytest.param("0", "0", id="no number"),
        pytest.param("1" * 20, "1" * 20, id="too long for a number"),
    ],
)
def test_carriers_number_is_kept_in_one_form(written, kept):
    assert from_carrier(written) == kept
    assert from_carrier(kept) == kept


@settings(deadline=None)
@given(st.text() | WRITTEN)
def test_carriers_number_never_fails_and_stays_as_it_is(written):
    assert from_carrier(from_carrier(written)) == from_carrier(written)


REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS = range(11)


def plan_of(region):
    plan = phonenumbers.PhoneMetadata.metadata_for_region(region)
    assert plan is not None
    return plan


def example(region, kind):
    number = phonenumbers.example_number_for_type(region, kind)
    return phonenumbers.national_significant_number(number) if number else None


@st.composite
def slips(draw):
    """Digits as somebody of a country writes them, up to two missing or added, or decimals behind them."""
    region = draw(st.sampled_from(REGIONS))
    plan = plan_of(region)
    real = [number for number in (example(region, kind) for kind in KINDS) if number]
    text = draw(st.sampled_from(real) | st.from_regex(r"[0-9]{3,16}", fullmatch=True))
    text = draw(st.sampled_from(["", plan.national_prefix or "", str(plan.country_code), "0"])) + text
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.sampled_from(["", *"0123456789"])) + text[place + draw(st.integers(0, 1)) :]
    return region, text + draw(st.sampled_from(["", "", ".0", ".00", ".5", ".25", ",0"]))


@settings(max_examples=1500, deadline=None)
@given(slips())
def test_digits_of_a_country_never_become_a_number_of_another(slip):
    region, text = slip
    plan = plan_of(region)
    assume(not text.startswith("00") and not re.match(str(plan.international_prefix), text))
    number, _ = normalised_or_refusal(text, region)
    if number is None or is_short_code(number):
        return
    assert phonenumbers.parse(number).country_code == plan.country_code
    assert normalise(number, region) == number
    assert normalise(number, "US") == number
    assert from_carrier(number) == number


@pytest.mark.parametrize("region", REGIONS)
def test_numbers_of_every_country_are_read_as_people_there_write_them(region):
    for kind in KINDS:
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None or len(phonenumbers.national_significant_number(number)) < 7:
            continue
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        if e164 == "+13101234":
            continue  # a Canadian number without an area code
        form = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        abroad = "US" if number.country_code != 1 else "GB"
        dialled = phonenumbers.format_out_of_country_calling_number(number, abroad)
        assert normalise(form, region) == e164
        assert normalise(e164[1:], region) == e164
        assert normalise(dialled, abroad) == e164


@pytest.mark.parametrize("country", ["US", "DE", "IT"])
@pytest.mark.parametrize(
    "written",
    [
        "+4930901820\u00b9",
        "202555014\u2070",
        "\u00b22025550140",
        "\u00bd025550140",
        "202555014\u2460",
        "3125550100\u2474",
    ],
    ids=ascii,
)
def test_a_raised_or_circled_digit_or_a_half_is_no_digit_of_a_number(written, country):
    with pytest.raises(InvalidNumber, match="neither"):
        normalise(written, country)


@pytest.mark.parametrize(
    "written",
    [
        "\uff12\uff10\uff12\uff15\uff15\uff15\uff10\uff11\uff14\uff10",
        "\u0662\u0660\u0662\u0665\u0665\u0665\u0660\u0661\u0664\u0660",
    ],
    ids=ascii,
)
def test_digits_of_another_keyboard_are_digits(written):
    assert normalise(written, "US") == "+12025550140"


def test_filling_holds_whatever_nobody_sees_between_digits():
    unseen = {chr(code) for code in range(0x2000, 0x2100) if is_invisible(chr(code))} | {"\u061c", "\u00ad", "\ufeff"}
    assert {character for character in unseen if not SEPARATORS.fullmatch(character)} == set()


def normalised_or_refusal(written, country):
    try:
        return normalise(written, country), None
    except InvalidNumber as refusal:
        return None, str(refusal)


@settings(max_examples=400, deadline=None)
@given(WRITTEN, st.sampled_from(COUNTRIES))
def test_normalised_number_has_one_shape_and_stays_as_it_is(written, country):
    number, refusal = normalised_or_refusal(written, country)
    if refusal is None:
        assert re.fullmatch(r"\+[1-9][0-9]{6,14}|[0-9]{3,6}", number)
        assert normalise(number, "US") == number


@settings(max_examples=400, deadline=None)
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


@pytest.mark.parametrize("sender", ["", "A name too long", "Müller", "40"])
def test_what_is_neither_number_nor_name_is_no_sender(sender):
    with pytest.raises(InvalidNumber):
        normalise_sender(sender, "US")


@pytest.mark.parametrize(
    ("code", "short"),
    [
        *[("723", True), ("7234", True), ("72345", True), ("723456", True)],
        *[("72", False), ("7234567", False), ("+72345", False), ("72345\n", False)],
    ],
)
def test_short_code_is_three_to_six_digits(code, short):
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
