"""Server-sent events: who looks at messages is told that some changed, and nothing is missed."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from sms_common.broker import Outgoing
from sms_common.topology import SMS, pbx_inbound_queue, pbx_status_queue
from sms_config.main import ExternalServices
from sms_config.model.problems import TooManyListeners
from sms_config.model.records import ApiKeyRecord, TenantRecord, UserRecord
from sms_config.operations.server_sent_events import MAX_PER_CALLER, LiveUpdates, StreamTiming
from tests.config.people import COOKIE
from tests.config.world import Clock
from tests.eventually import eventually

pytestmark = pytest.mark.loopback

EVENTS = "/api/v1/events/messages"
CHANGED = "event: changed"


@pytest.fixture
def external(broker):
    return ExternalServices(broker, StreamTiming(heartbeat=0.02, min_interval=0.0))


def status(tenant="acme", message_id="m1", **values):
    body = json.dumps({"message_id": message_id, "tenant_id": tenant, **values}).encode()
    return Outgoing(SMS, f"sms.status.{tenant}.sent", body, "sms.status.v1", f"event of {message_id}")


class Stream:
    """The blocks of one open answer."""

    def __init__(self, response):
        self.response = response

    async def block(self):
        return (await self.response.content.readuntil(b"\n\n")).decode().strip()

    async def next(self, wanted):
        """Read until a block of this kind, past the others."""
        async with asyncio.timeout(5):
            while not (found := await self.block()).startswith(wanted):
                pass
        return found

    async def settled(self):
        """Read past everything that the beginning says, until nothing is said."""
        await self.next(CHANGED)
        quiet = 0
        while quiet < 3:
            quiet = 0 if (await self.block()).startswith(CHANGED) else quiet + 1

    async def ended(self):
        async with asyncio.timeout(5):
            return await self.response.content.read()


@asynccontextmanager
async def steady_news(broker):
    """A tenant that is never quiet."""

    async def publish():
        while True:
            await broker.publish(status())
            await asyncio.sleep(0)

    publishing = asyncio.create_task(publish())
    try:
        yield
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)


@asynccontextmanager
async def listening(api, query="tenant_id=acme", **headers):
    given = headers or {"Authorization": f"Bearer {api._credential}"}
    async with api._client.get(f"{EVENTS}?{query}", headers=given) as response:
        yield Stream(response)


async def test_a_listener_is_told_at_once_and_at_every_change(api, acme, broker):
    async with listening(api) as stream:
        assert (stream.response.status, stream.response.content_type) == (200, "text/event-stream")
        assert stream.response.headers["X-Accel-Buffering"] == "no"
        assert stream.response.headers["X-Content-Type-Options"] == "nosniff"
        await stream.settled()
        await broker.publish(status())
        assert await stream.next(CHANGED) == "event: changed\ndata: {}"


async def test_a_heartbeat_comes_when_nothing_happens(api, acme):
    async with listening(api) as stream:
        assert await stream.next(":") == ": still here"


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (status(message_id="m1"), True),
        (status(message_id="m1.3", parent_id="m1"), True),
        (status(message_id="m2"), False),
        (status(tenant="globex", message_id="m1"), False),
        (Outgoing(SMS, "sms.status.acme.sent", b"no JSON", "x", "x"), True),
    ],
    ids=["itself", "of its list", "another", "another tenant's", "unreadable"],
)
async def test_who_looks_at_one_message_is_told_of_that_one(api, acme, broker, event, told):
    async with listening(api, "tenant_id=acme&message_id=m1") as stream:
        await stream.settled()
        await broker.publish(event)
        if told:
            await stream.next(CHANGED)
        else:
            assert [await stream.block() for _ in range(3)] == [": still here"] * 3


async def test_an_inbound_text_is_a_change(api, acme, broker):
    async with listening(api) as stream:
        await stream.settled()
        await broker.publish(Outgoing(SMS, "sms.inbound.acme.12015550100", b"{}", "sms.inbound.v1", "i1"))
        await stream.next(CHANGED)


async def test_what_may_have_been_missed_while_the_broker_was_away_is_told(api, acme, broker):
    async with listening(api) as stream:
        await stream.settled()
        broker.away = True
        broker.away = False
        await stream.next(CHANGED)


async def test_listening_takes_nothing_from_the_pbx(api, acme, broker):
    """Without the PBX's queues a listener would be the only taker, and the broker would call nothing unrouted."""
    async with listening(api) as stream:
        await stream.settled()
        await broker.publish(status())
        await broker.publish(Outgoing(SMS, "sms.inbound.acme.12015550100", b"{}", "sms.inbound.v1", "i1"))
        await stream.next(CHANGED)

    assert len(broker.waiting(pbx_status_queue("main"))) == 1
    assert len(broker.waiting(pbx_inbound_queue("main"))) == 1


async def test_nothing_is_listened_to_when_the_last_has_left(api, acme, broker):
    async with listening(api) as first, listening(api, "tenant_id=acme&message_id=m1") as second:
        await first.settled()
        await second.settled()
        assert len(broker._listeners) == 2
    await eventually(lambda: len(broker._listeners), lambda count: count == 0)


async def test_a_session_that_ends_ends_the_stream(ann, api):
    async with listening(api, "", Cookie=f"{COOKIE}={ann.cookie}") as stream:
        await stream.settled()
        await ann.call("DELETE", "/api/v1/session")
        await stream.ended()


async def test_a_disabled_user_is_told_nothing_more(ann, api, store):
    async with listening(api, "", Cookie=f"{COOKIE}={ann.cookie}") as stream:
        await stream.settled()
        users = store.records[UserRecord]
        for user_id, user in users.items():
            users[user_id] = user.model_copy(update={"disabled": True})
        await stream.ended()


@pytest.mark.parametrize("ending", ["log-out", "disabled", "revoked"])
async def test_who_may_not_listen_any_more_is_told_nothing_more_however_busy_the_tenant(
    ann, api, key_for, store, broker, ending
):
    key = await key_for("read", tenants=["acme"])
    given = (
        {"Cookie": f"{COOKIE}={ann.cookie}"} if ending != "revoked" else {"Authorization": f"Bearer {key._credential}"}
    )
    async with listening(api, "tenant_id=acme", **given) as stream, steady_news(broker):
        await stream.next(CHANGED)
        match ending:
            case "log-out":
                await ann.call("DELETE", "/api/v1/session")
            case "disabled":
                users = store.records[UserRecord]
                users.update({user_id: user.model_copy(update={"disabled": True}) for user_id, user in users.items()})
            case "revoked":
                store.records[ApiKeyRecord].clear()
        await stream.ended()


async def test_a_stream_does_not_keep_a_session_alive(ann, api, clock, store):
    (before,) = [ticket.expires_at for ticket in store.tickets.values()]
    async with listening(api, "", Cookie=f"{COOKIE}={ann.cookie}", **{"X-Unattended": "1"}) as stream:
        await stream.settled()
        clock.pass_time(hours=3)
        await stream.next(":")
        await ann.get("/api/v1/sms", **{"X-Unattended": "1"})
        assert [ticket.expires_at for ticket in store.tickets.values()] == [before]
        clock.pass_time(hours=9, seconds=1)
        await stream.ended()


async def test_another_tenants_messages_cannot_be_listened_to(api, acme, key_for, broker):
    await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})
    theirs = await key_for("read", tenants=["globex"])

    assert (await theirs.get(f"{EVENTS}?tenant_id=acme")).status == 404
    assert (await api.get(EVENTS)).field_errors() == {"tenant_id": "is required: the history is one tenant's"}
    assert (await (await key_for("send")).get(f"{EVENTS}?tenant_id=acme")).status == 403
    assert (await api.with_credential(None).get(f"{EVENTS}?tenant_id=acme")).status == 401
    assert not broker._listeners


async def test_without_a_broker_that_is_said(api, acme, broker):
    broker.away = True

    answer = await api.get(f"{EVENTS}?tenant_id=acme")

    assert (answer.status, answer.json["code"]) == (503, "broker_unavailable")


class TestLimits:
    @pytest.fixture
    def tenant(self):
        now = Clock()()
        return TenantRecord(
            id="acme", name="Acme", country="US", created_at=now, created_by="x", updated_at=now, updated_by="x"
        )

    async def test_one_caller_has_so_many(self, broker, tenant):
        live = LiveUpdates(broker)
        watches = [await live.watch("ann", tenant, None) for _ in range(MAX_PER_CALLER)]

        with pytest.raises(TooManyListeners):
            await live.watch("ann", tenant, None)
        await live.watch("bob", tenant, None)
        await watches[0].unsubscribe(watches[0])
        await live.watch("ann", tenant, None)

    async def test_all_together_have_so_many(self, broker, tenant):
        live = LiveUpdates(broker, max_total=2)
        for name in ("ann", "bob"):
            await live.watch(name, tenant, None)

        with pytest.raises(TooManyListeners):
            await live.watch("cid", tenant, None)

    async def test_who_has_hung_up_is_not_counted(self, broker, tenant):
        live = LiveUpdates(broker, max_per_caller=1)
        lost = await live.watch("ann", tenant, None)
        lost.disconnected = lambda: True

        await live.watch("ann", tenant, None)

        assert await lost.next(5) == "closed"

    async def test_a_stopping_process_ends_all(self, broker, tenant):
        live = LiveUpdates(broker)
        watch = await live.watch("ann", tenant, None)

        await live.close()

        assert await watch.next(5) == "closed"
