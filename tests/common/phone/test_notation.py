"""The masked form of a number."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.phone import (
    mask,
)


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
