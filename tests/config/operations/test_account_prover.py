"""Whose account a lent trunk has is proved in the background, whether the carrier can be reached or not."""

import pytest

from tests.config.lent_accounts import LENDERS, POOLS, SMS, TRUNKS, both_accounts, config, settings_for
from tests.config.world import CREDENTIALS, TRUNK, make_settings
from tests.eventually import eventually_told

pytestmark = pytest.mark.loopback


@pytest.fixture
async def simulator():
    async with both_accounts() as found:
        yield found


@pytest.fixture
def settings(simulator):
    return settings_for(simulator)


async def test_a_carrier_that_cannot_be_reached_is_asked_again_and_holds_up_no_save(
    serve, store, simulator, settings, clock
):
    nobody = make_settings(key_ring=settings.key_ring.get_secret_value())
    api = await serve(nobody)
    for name in ("acme", "globex"):
        await api.made("/api/v1/tenants", {"id": name, "name": name})
    trunk = await api.made(TRUNKS, {**TRUNK, "pools": POOLS, "account": LENDERS})
    made = await api.made(SMS, config(trunk, credentials=CREDENTIALS))
    assert made["account_proved"] is False

    reachable = await serve(settings)
    await eventually_told(
        lambda: reachable.get(f"{SMS}/{made['id']}"), lambda answer: answer.json["account_proved"] is True
    )


async def test_a_carrier_that_is_away_ends_no_proof(serve, store, settings, clock, simulator):
    api = await serve(settings)
    for name in ("acme", "globex"):
        await api.made("/api/v1/tenants", {"id": name, "name": name})
    trunk = await api.made(TRUNKS, {**TRUNK, "pools": POOLS, "account": LENDERS})
    made = await api.made(SMS, config(trunk, credentials=CREDENTIALS))
    path = f"{SMS}/{made['id']}"
    await eventually_told(lambda: api.get(path), lambda answer: answer.json["account_proved"] is True)

    nobody = await serve(make_settings(key_ring=settings.key_ring.get_secret_value()))
    step = (await nobody.call("POST", f"{path}/test-credentials")).json["steps"][-1]

    assert (step["ok"], step["code"]) == (False, "carrier_unreachable")
    assert (await nobody.get(path)).json["account_proved"] is True
