"""Extensions: one form at every comparison, and masks that refuse what can be none."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.rules import InvalidMask, extension_form
from sms_common.rules.extensions import extension_mask, unmatchable_entries
from sms_common.rules.masks import NumberMask

TENANT = {"tenant_id": "acme"}


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("109", "109"),
        ("109 ", "109"),
        ("\u200b1\u200b09", "109"),
        ("\uff11\uff10\uff19", "109"),
        ("+109", "109"),
        ("0109", "0109"),
        ("Sales", "sales"),
        ("front-desk", "front-desk"),
        ("101.0", "101.0"),
        ("+1 (202) 555-0143", "12025550143"),
        ("0012025550143", "12025550143"),
    ],
)
def test_an_extension_is_compared_in_one_form(written, form):
    assert extension_form(written) == form
    assert extension_form(form) == form


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("", ""),
        ("101-110; 199", "101-110;199"),
        ("101\n102,103\t104", "101;102;103;104"),
        ("101\u2013110", "101-110"),
        ("101 - 110", "101-110"),
        ("1**;***", "1**;***"),
        ("0109", "0109"),
        ("john.doe;front-desk;x101;101@pbx.example.com", "john.doe;front-desk;x101;101@pbx.example.com"),
        ("+1 (202) 555-0143", "12025550143"),
        ('\'101\n"102"\n="103"', "101;102;103"),
    ],
)
def test_a_list_of_extensions_is_kept_as_it_was_meant(written, kept):
    assert extension_mask(written) == kept
    assert extension_mask(kept) == kept
    assert unmatchable_entries(kept) == []


@pytest.mark.parametrize(
    "written",
    [
        "1XX",
        "1X2",
        "XX",
        "NXX",
        "10x",
        "101 102",
        "101.0",
        "1..",
        "[1-3]00",
        "101/102",
        "101_102",
        "*",
        "1*a",
        "10-20-30",
        "10%",
        "100-199 205",
        "101-110-120",
        "1001 1002 1003",
        "100-199 200-299",
        "1.01E2",
        "1.01e+02",
        "101\u00b9",
        "any",
        "None",
    ],
)
def test_what_can_be_no_extension_is_refused_with_the_way_to_write_it(written):
    with pytest.raises(InvalidMask, match=r"write \* for one digit"):
        extension_mask(written)

    assert unmatchable_entries(written)


def test_a_phone_number_with_gaps_is_an_extension_where_it_is_assigned():
    assert extension_mask("202-555-0143;(202) 555-0144", "US") == "2025550143;2025550144"
    with pytest.raises(InvalidMask):
        extension_mask("101-102-1034", "US")


WRITTEN = st.text("0123456789*xX -;.'\"+()ab\u2013\u00b9", max_size=20)


@given(WRITTEN, st.sampled_from(["US", "GB", "DE", ""]))
def test_for_each_entry_that_is_kept_there_is_an_extension_that_it_matches(written, country):
    try:
        kept = extension_mask(written, country)
    except InvalidMask:
        return
    assert extension_mask(kept, country) == kept
    for entry in filter(None, kept.split(";")):
        asked = entry.partition("-")[0] if re.fullmatch(r"[0-9]+-[0-9]+", entry) else entry.replace("*", "1")
        assert NumberMask.parse(entry).match_bare(extension_form(asked)), entry
