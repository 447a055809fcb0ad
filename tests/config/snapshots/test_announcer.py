import asyncio
from datetime import UTC, datetime

import pytest

from sms_common.broker.messages import Outgoing
from sms_common.events import ConfigChanged, decode
from sms_common.testing.broker import FakeBroker
from sms_config.access.auth import Caller, Scope
from sms_config.model.records import Announcement
from sms_config.resources.changes import Changes
from sms_config.resources.tenants import Tenants
from sms_config.snapshots.announcer import Announcer, message
from sms_config.storage.testing import InMemoryStore

ADMIN = Caller("bootstrap", "bootstrap", frozenset({Scope.ADMIN}), None)


class Publisher(FakeBroker):
    """The broker in memory, which tells when it is called, and has a bug while `broken`."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.called = asyncio.Event()

    async def publish(self, outgoing: Outgoing) -> None:
        self.called.set()
        if self.broken:
            raise RuntimeError("a bug")
        await super().publish(outgoing)

    async def when(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.published) < count:
                self.called.clear()
                await self.called.wait()


@pytest.fixture
def publisher():
    return Publisher()


@pytest.fixture
def announcer(store, publisher):
    return Announcer(store, publisher, retry=0.01, poll=0.01)


@pytest.fixture
def tenants(store, announcer):
    return Tenants(store, Changes(store, announcer.wake))


def test_a_change_is_published_as_an_event_under_its_tenant():
    at = datetime(2026, 3, 1, tzinfo=UTC)
    waiting = Announcement(
        id="id-1", at=at, tenant_id="acme", kind="sms_config", object_id="c1", action="rotated", snapshot="7"
    )

    outgoing = message(waiting)

    assert (outgoing.exchange, outgoing.routing_key) == ("sms", "sms.config.acme.rotated")
    assert (outgoing.type, outgoing.message_id) == ("sms.config.v1", "id-1")
    assert decode(outgoing.type, outgoing.body) == ConfigChanged(
        event_id="id-1",
        tenant_id="acme",
        change="rotated",
        kind="sms_config",
        object_id="c1",
        version="7",
        occurred_at=at,
    )


async def test_changes_are_announced_in_order_and_then_forgotten(store, tenants, publisher, announcer):
    async with announcer:
        await tenants.create(ADMIN, {"id": "a", "name": "A"})
        await tenants.update(ADMIN, "a", {"name": "B"}, version=None, replace=False)
        await tenants.delete(ADMIN, "a", version=None)
        await publisher.when(3)

    assert [sent.routing_key for sent in publisher.published] == [
        "sms.config.a.created",
        "sms.config.a.updated",
        "sms.config.a.deleted",
    ]
    assert await store.announcements(10) == []


async def test_without_the_broker_a_change_succeeds_and_is_announced_once_it_is_back(
    store, tenants, publisher, announcer
):
    publisher.away = True
    async with announcer:
        await tenants.create(ADMIN, {"id": "a", "name": "A"})
        await publisher.called.wait()
        assert len(await store.announcements(10)) == 1
        publisher.away = False
        await publisher.when(1)

    assert [sent.routing_key for sent in publisher.published] == ["sms.config.a.created"]


async def test_what_another_process_left_is_announced_at_the_start(store, tenants, publisher, announcer):
    await tenants.create(ADMIN, {"id": "a", "name": "A"})

    async with announcer:
        await publisher.when(1)

    assert len(publisher.published) == 1


async def test_what_another_process_leaves_later_is_found_by_looking(store, publisher, announcer):
    elsewhere = Tenants(store, Changes(store, lambda: None))
    async with announcer:
        await elsewhere.create(ADMIN, {"id": "a", "name": "A"})
        await publisher.when(1)


async def test_a_repeat_after_a_lost_confirm_carries_the_same_id(store, tenants, publisher, announcer):
    await tenants.create(ADMIN, {"id": "a", "name": "A"})
    (waiting,) = await store.announcements(10)

    assert await announcer.announce_all() == 1
    store.waiting[waiting.id] = waiting
    await announcer.announce_all()

    first, second = publisher.published
    assert (first.message_id, first.body) == (second.message_id, second.body)


async def test_a_mistake_in_one_round_does_not_end_announcing(tenants, publisher, announcer):
    publisher.broken = True
    async with announcer:
        await tenants.create(ADMIN, {"id": "a", "name": "A"})
        await publisher.called.wait()
        publisher.broken = False
        await publisher.when(1)


async def test_many_changes_are_announced_batch_by_batch(publisher):
    store = InMemoryStore()
    tenants = Tenants(store, Changes(store, lambda: None))
    for n in range(120):
        await tenants.create(ADMIN, {"id": f"t{n}", "name": "T"})

    assert await Announcer(store, publisher).announce_all() == 120
