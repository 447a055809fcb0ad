"""What people write in place of a mask is known for what it is, and quoted without a whole number."""

import pytest

from sms_common.rules.mistakes import (
    InvalidMask,
    entry_errors,
    is_placeholder,
    quoted,
    stands_for_digits,
    stored_entries,
    without_separators,
)


def digits_only(entry: str) -> str:
    if not entry.isdigit():
        raise InvalidMask(f"{entry} is none.")
    return f"<{entry}>"


@pytest.mark.parametrize(
    ("written", "kept"), [("", ""), ("1", "<1>"), ("1;2\n3, 4", "<1>;<2>;<3>;<4>"), (" 1 ; ; 2;", "<1>;<2>")]
)
def test_a_list_is_kept_entry_by_entry(written, kept):
    assert stored_entries(written, digits_only) == kept


@pytest.mark.parametrize(
    ("written", "said"), [("a", "a is none."), ("1;b", "Entry 2: b is none."), ("a;b", "Entry 1: a is none.")]
)
def test_the_first_wrong_entry_is_named_by_its_place_when_there_are_several(written, said):
    with pytest.raises(InvalidMask) as refused:
        stored_entries(written, digits_only)

    assert str(refused.value) == said


def test_every_wrong_entry_is_told_of():
    assert entry_errors("a;1;b", digits_only) == ["a is none.", "b is none."]


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("+1 (202) 555-0140", "+12025550140"),
        ("tel:+1-202-555-0140", "+12025550140"),
        ("TEL:611", "611"),
        ("101", "101"),
    ],
)
def test_separators_and_tel_are_left_out(written, bare):
    assert without_separators(written) == bare


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ("Amazon", "Amazon"),
        ("202555", "202555"),
        ("+12025550140", "+1202***0140"),
        ("+1202555****", "+1202555****"),
        ("x" * 41, "x" * 40 + "…"),
    ],
)
def test_an_entry_is_quoted_without_a_whole_number_and_in_short(entry, shown):
    assert quoted(entry) == shown


@pytest.mark.parametrize(
    ("entry", "is_one"), [("any", True), ("N/A", True), ("NULL", True), ("Annie", False), ("", False)]
)
def test_a_word_for_everybody_or_nobody_is_known(entry, is_one):
    assert is_placeholder(entry) is is_one


@pytest.mark.parametrize(
    "entry",
    [
        "1202555XXXX",
        "NXX-NXXX",
        "XXXX",
        "1202555####",
        "1202555....",
        "^1202555[0-9]{4}$",
        "1.2025E+10",
        "_1202NXXXXXX",
    ],
)
def test_another_notation_for_digits_is_known(entry):
    assert stands_for_digits(entry)


@pytest.mark.parametrize("entry", ["N26", "XXX", "3UK", "Amazon", "VM-1234567", "T-Mobile", "Yahoo!"])
def test_a_name_of_a_sender_is_none(entry):
    assert not stands_for_digits(entry)
