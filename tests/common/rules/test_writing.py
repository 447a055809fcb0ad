import pytest

from sms_common.rules import InvalidMask
from sms_common.rules.writing import international, ranges


@pytest.mark.parametrize(
    ("written", "country", "kept"),
    [
        ("", "US", ""),
        ("(212) 555-0100", "US", "+12125550100"),
        ("0012125550100", "US", "+12125550100"),
        ("020 7946 0000", "GB", "+442079460000"),
        ("2125550100 - 2125550199 ; +12125550300", "US", "+12125550100-+12125550199;+12125550300"),
        ("12125550100-12125550199", "US", "+12125550100-+12125550199"),
        ("101", "US", "101"),
        ("100-199", "US", "100-199"),
        ("12345", "US", "12345"),
        ("1212555****", "US", "+1212555****"),
        ("My Shop", "US", "My Shop"),
    ],
)
def test_a_mask_is_kept_in_international_form(written, country, kept):
    assert international(written, country) == kept
    assert international(kept, country) == kept


@pytest.mark.parametrize(
    ("mask", "numbers"),
    [
        ("", []),
        ("+12125550100", ["+12125550100"]),
        ("+12125550100-+12125550109;12345", ["+12125550100-+12125550109", "12345"]),
        ("1212555010*", ["+12125550100-+12125550109"]),
        ("12125550*9", [f"+12125550{n}9" for n in range(10)]),
        ("001 (212) 555-0100", ["+12125550100"]),
    ],
)
def test_a_mask_stands_for_ranges_of_numbers(mask, numbers):
    assert [str(span) for span in ranges(mask)] == numbers


@pytest.mark.parametrize("mask", ["My Shop", "****1", "***", "12345678901-2"])
def test_what_is_no_number_or_far_too_many_is_refused(mask):
    with pytest.raises(InvalidMask):
        list(ranges(mask))
