"""How long and how much media is kept."""

from carrier_simulator import Clock
from carrier_simulator.carrier.media import MediaStore
from tests.simulator.conftest import ACCOUNT, upload

BASE = f"/api/v2/users/{ACCOUNT}/media"


async def test_media_is_kept_for_48_hours(start):
    api = await start(frozen=True, token_expires_in=1_000_000)
    await upload(api, "a.png")
    api.simulator.clock.advance(48 * 3600 - 1)
    await upload(api, "b.png")
    assert len((await api.call("GET", BASE))[2]) == 2

    api.simulator.clock.advance(1)

    assert [item["mediaName"] for item in (await api.call("GET", BASE))[2]] == ["b.png"]
    assert (await api.call("GET", f"{BASE}/a.png"))[0] == 404


def test_above_the_capacity_the_oldest_goes_first():
    store = MediaStore(Clock(frozen_at=0), lifetime=100, capacity=10)
    for name in "abc":
        store.put("1", name, b"x" * 4, "image/png")

    assert [store.get("1", name) is not None for name in "abc"] == [False, True, True]
    store.put("1", "huge", b"x" * 99, "image/png")
    assert store.get("1", "huge") is not None
