"""Which lanes are stalled is stored once for each change, and any dispatcher can be asked."""

import asyncio
from dataclasses import dataclass

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from sms_common.errors import Code, Misconfigured, Throttled, Unavailable
from sms_dispatcher.api.routes import LanesApi
from sms_dispatcher.lanes.circuit_breaker import CircuitBreaker
from sms_dispatcher.lanes.stalled_lanes import StalledReport, stalled_lane
from tests.dispatcher.memory_coordination import MemoryCoordination

pytestmark = pytest.mark.loopback

REFUSED = Misconfigured(Code.CREDENTIALS_REFUSED, "Bandwidth answered HTTP 401.")
BUSY = Throttled(Code.CARRIER_BUSY, "Bandwidth answered HTTP 429.")


@dataclass
class Lane:
    breaker: CircuitBreaker


class World:
    def __init__(self):
        self.now = 1000.0
        self.store = MemoryCoordination(lambda: self.now)
        self.lanes = {config_id: Lane(CircuitBreaker(config_id, lambda: self.now)) for config_id in ("c1", "c2")}
        self.report = StalledReport(lambda: self.lanes, self.store)

    async def stored(self):
        await self.report.publish()
        return {config_id: (one.why, one.code) for config_id, one in self.store.still.items()}


@pytest.fixture
def world():
    return World()


async def test_a_stalled_lane_is_stored_and_removed_when_it_runs(world):
    assert await world.stored() == {}
    world.lanes["c1"].breaker.pause(60, REFUSED)
    world.lanes["c2"].breaker.pause(5, BUSY)
    assert await world.stored() == {"c1": ("person", "credentials_refused"), "c2": ("paused", "carrier_busy")}
    world.lanes["c2"].breaker.close()
    assert await world.stored() == {"c1": ("person", "credentials_refused")}


async def test_since_when_it_is_stalled_stays_during_a_trial(world):
    breaker = world.lanes["c1"].breaker
    breaker.pause(60, REFUSED)
    await world.stored()
    since = world.store.still["c1"].since
    world.now += 61
    assert breaker.try_acquire() is not None
    assert await world.stored() == {"c1": ("person", "credentials_refused")}
    breaker.pause(60, Misconfigured(Code.CREDENTIALS_REFUSED, "Bandwidth answered HTTP 403."))
    await world.stored()

    assert world.store.still["c1"].since == since
    assert world.store.still["c1"].reason == "Bandwidth answered HTTP 403."


async def test_nothing_is_written_while_nothing_changes(world, monkeypatch):
    world.lanes["c1"].breaker.pause(60, REFUSED)
    await world.stored()

    async def unexpected(*_):
        raise AssertionError("written again")

    monkeypatch.setattr(world.store, "record_stalled", unexpected)
    await world.report.publish()


async def test_a_new_owner_corrects_what_a_dead_one_stored(world):
    world.lanes["c1"].breaker.pause(60, REFUSED)
    await world.stored()
    another = World()
    another.store = world.store
    another.report = StalledReport(lambda: another.lanes, world.store)

    assert await another.stored() == {}


async def test_what_could_not_be_stored_is_stored_later(world):
    world.lanes["c1"].breaker.pause(60, REFUSED)
    world.store.away = True
    with pytest.raises(Unavailable):
        await world.report.publish()
    world.store.away = False

    assert await world.stored() == {"c1": ("person", "credentials_refused")}


def test_a_disabled_lane_needs_no_report():
    breaker = CircuitBreaker("c1", lambda: 0.0)
    breaker.disable(True)

    assert stalled_lane("c1", breaker) is None


class TestApi:
    @pytest.fixture
    async def client(self, world):
        world.lanes["c1"].breaker.pause(60, REFUSED)
        await world.stored()
        app = web.Application()
        LanesApi(world.store, SecretStr("correct horse")).add_to(app)
        async with TestClient(TestServer(app)) as client:
            yield client

    async def ask(self, client, ids, token="correct horse"):
        answer = await client.get("/api/v1/lanes", params={"ids": ids}, headers={"Authorization": f"Bearer {token}"})
        return answer.status, await answer.json()

    async def test_it_says_which_are_stalled(self, client):
        status, body = await self.ask(client, "c1,c2,nothing")

        assert status == 200
        (item,) = body["items"]
        assert item.pop("since").startswith("1970-01-01T00:16:40")
        assert item == {
            "config_id": "c1",
            "why": "person",
            "code": "credentials_refused",
            "reason": "Bandwidth answered HTTP 401.",
        }

    @pytest.mark.parametrize(("ids", "token", "status"), [("c1", "wrong", 401), ("", "correct horse", 422)])
    async def test_who_may_not_ask_and_what_cannot_be_asked(self, client, ids, token, status):
        assert (await self.ask(client, ids, token))[0] == status

    async def test_while_the_store_is_away_that_is_said(self, client, world):
        world.store.away = True

        assert (await self.ask(client, "c1"))[0] == 503


async def test_a_bug_in_a_report_ends_nothing(world):
    stop, reports = asyncio.Event(), []

    async def publish() -> None:
        reports.append("published")
        if len(reports) == 1:
            raise RuntimeError("a bug")
        stop.set()

    world.report.publish = publish
    async with asyncio.timeout(5):
        await world.report.run(stop, every=0)

    assert reports == ["published", "published"]
