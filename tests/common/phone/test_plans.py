"""Which countries have a numbering plan."""

import pytest

from sms_common.phone import (
    is_country,
)


@pytest.mark.parametrize(("country", "known"), [("US", True), ("DE", True), ("us", False), ("XX", False), ("", False)])
def test_country_is_one_with_a_numbering_plan(country, known):
    assert is_country(country) is known
