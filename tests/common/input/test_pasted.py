"""What people paste is read or refused with the place, and never kept in a form that cannot work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.input.pasted import (
    UncleanText,
    alike,
    entries,
    is_invisible,
    one_line,
    plain_text,
    printable_ascii,
    trimmed,
    visible,
)

INVISIBLE = [
    *"\u200b\u200c\u200d\u200e\u2060\ufeff\u00ad\u180e\u061c\u3164\u00a0\u202f\u2003\u2028\x00\x7f\t\n",
    "\U000e0020",
    "\u2800",
]


@pytest.mark.parametrize("character", INVISIBLE, ids=ascii)
def test_what_nobody_sees_vanishes_from_the_ends(character):
    assert trimmed(f"{character} tok {character}") == "tok"
    assert printable_ascii(f"{character}tok{character}") == "tok"
    assert one_line(f"{character}Acme{character}") == "Acme"


@pytest.mark.parametrize("character", INVISIBLE, ids=ascii)
def test_inside_a_secret_it_is_refused_with_its_place(character):
    with pytest.raises(UncleanText, match=r"invisible character .* at place 3"):
        printable_ascii(f"to{character}k")


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        ("t\u00f6k", "a character outside ASCII .*U.00F6.* at place 2"),
        ("\u201ctok\u201d", "outside ASCII .*at place 1"),
        ("Bearer tok", "a blank .* at place 7"),
    ],
)
def test_a_secret_is_printable_ascii(secret, says):
    with pytest.raises(UncleanText, match=says):
        printable_ascii(secret)


def test_a_passphrase_may_hold_blanks():
    assert printable_ascii(" correct horse ", blanks=True) == "correct horse"


@pytest.mark.parametrize("character", ["\u200b", "\u202e", "\ufeff", "\u2060", "\x00", "\n", "\t", "\u3164", "\ud83d"])
def test_a_name_is_one_visible_line(character):
    with pytest.raises(UncleanText, match="at place 3"):
        one_line(f"Ac{character}me")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Bront\u0065\u0301", "Bront\u00e9"),
        ("Acme\u00a0Ltd", "Acme Ltd"),
        ("We \u2764\ufe0f", "We \u2764\ufe0f"),
        ("\U0001f468\u200d\U0001f469 Co", "\U0001f468\u200d\U0001f469 Co"),
        ("\u682a\u5f0f\u3000\u4f1a\u793e", "\u682a\u5f0f \u4f1a\u793e"),
    ],
)
def test_a_name_has_one_form(written, name):
    assert one_line(written) == name


@pytest.mark.parametrize("between", [";", ",", "\n", "\r\n", "\t", ";\n", " , ", "\u2028", "\x0b", "\uff1b"], ids=ascii)
def test_a_list_may_be_separated_by_anything_that_sheets_use(between):
    assert entries(f"\ufeff101{between}102{between}") == ["101", "102"]


@pytest.mark.parametrize(
    ("written", "entry"),
    [
        ('"202555****"', "202555****"),
        ('="2025550140"', "2025550140"),
        ("'2025550140", "2025550140"),
        ("\u2019+12025550140", "+12025550140"),
        ("\u201cAmazon\u201d", "Amazon"),
        ("\u00ab101\u00bb", "101"),
        ("' 101 '", "101"),
        ("'s-Hertogenbosch", "'s-Hertogenbosch"),
        ("O'Reilly", "O'Reilly"),
        ('"', '"'),
    ],
)
def test_the_quotation_marks_of_a_sheet_are_no_part_of_an_entry(written, entry):
    assert entries(written) == [entry]
    assert entries(entry) == [entry]
    assert entries('""; \u201c\u201d') == []


@given(st.text())
def test_entries_stay_as_they_are_when_they_are_read_again(text):
    once = entries(text)
    assert entries(";".join(once)) == once


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("\uff0b\uff11\u0662\u0969", "+123"),
        ("H\u00b2O", "H\u00b2O"),
        ("\u2460 \u00bd", "\u2460 \u00bd"),
        ("\uff21cme", "Acme"),
        ("\uff76\uff9e", "\u30ac"),
    ],
)
def test_signs_of_other_keyboards_become_plain_and_raised_digits_do_not(written, plain):
    assert plain_text(written) == plain
    assert plain_text(plain) == plain


def test_an_error_never_holds_the_text():
    with pytest.raises(UncleanText) as caught:
        printable_ascii("hunter2\u200bsecret")
    assert "hunter2" not in str(caught.value)


@given(st.text())
def test_what_was_cleaned_is_clean(text):
    assert trimmed(trimmed(text)) == trimmed(text)
    try:
        line = one_line(text)
    except UncleanText:
        return
    assert one_line(line) == line
    assert not line or not is_invisible(line[0])


@given(st.text())
def test_a_name_of_old_can_always_be_shown_clean(text):
    assert one_line(visible(text)) == visible(text)


@pytest.mark.parametrize(
    "other",
    ["ACME", " acme ", "Ac\u200bme", "\uff21cme", "Acme\ufe0f", "\u2060Acme", "Ac\u00adme"],
    ids=ascii,
)
def test_names_that_look_alike_are_alike(other):
    assert alike("Acme") == alike(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Acme 1", "Acme 2"), ("AB", "A B"), ("Bront\u00e9", "Bronte"), ("A-B", "AB")]
)
def test_names_that_can_be_told_apart_are_not_alike(one, other):
    assert alike(one) != alike(other)


def test_forms_and_blanks_do_not_tell_names_apart():
    assert alike("Bront\u00e9  Nord") == alike("BRONTE\u0301\u00a0Nord")
    assert alike("Stra\u00dfe") == alike("STRASSE")
