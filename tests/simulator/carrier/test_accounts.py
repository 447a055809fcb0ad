"""Accounts."""

from carrier_simulator import SimulatedAccount
from tests.simulator.conftest import ACCOUNT, APPLICATION, EVERYTHING, account


def test_an_account_masks_its_secrets():
    shown = account().model_dump_json()

    assert "client-secret" not in shown
    assert "user-password" not in shown
    assert SimulatedAccount.model_validate({"account_id": "1"}).applications == ()
    assert set(EVERYTHING) == account().applications[0].events
    assert account().account_id == ACCOUNT


async def test_the_id_of_the_application_is_matched_in_any_case(api):
    assert api.simulator.accounts.get("5500001").application(APPLICATION.upper()) is not None
