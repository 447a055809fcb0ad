"""What the API shows of an object and does not store: how the numbers of a trunk were read."""

from typing import Any

import pytest

from sms_config.schemas.views import DidsCount, TrunkView

TRUNK: dict[str, Any] = {
    "id": "t1",
    "version": 1,
    "created_at": "2026-03-01T12:00:00Z",
    "created_by": "ann",
    "updated_at": "2026-03-01T12:00:00Z",
    "updated_by": "ann",
    "tenant_id": "acme",
    "name": "T",
    "brand": "Bandwidth",
    "carrier": "bandwidth",
    "hostname": None,
    "account": None,
    "default_did": None,
    "pools": None,
}


@pytest.mark.parametrize(
    ("dids", "numbers", "ranges"),
    [
        ("", 0, 0),
        ("+12015550100", 1, 0),
        ("+12015550100-+12015550199", 100, 1),
        ("+12015550100-+12015550199;+12015550300;+442079460000", 102, 1),
        ("+12015550100-+12015550101;+12015550300-+12015550309", 12, 2),
    ],
)
def test_numbers_and_ranges_are_counted(dids, numbers, ranges):
    view = TrunkView.model_validate({**TRUNK, "dids": dids})

    assert view.dids_count == DidsCount(numbers=numbers, ranges=ranges)
