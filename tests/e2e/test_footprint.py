"""What running costs: the time until everything is ready, and memory at rest."""

import pytest

from tests.e2e.gateway import SERVICES

pytestmark = pytest.mark.e2e


async def test_all_four_processes_are_ready_soon_whatever_the_order_of_their_start(gateway, measured):
    measured["start of four processes until ready"] = f"{gateway.seconds_to_ready:.1f} s"
    assert gateway.seconds_to_ready < 30


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_idles_under_120_mebibytes(gateway, measured, service):
    resident = gateway.resident_mebibytes(service)
    measured[f"resident memory of {service}"] = f"{resident:.0f} MiB"
    assert resident < 120
