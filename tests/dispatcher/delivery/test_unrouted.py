"""What went to `sms.unrouted` while its queue was gone is published again when the queue is back; nothing else is."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from sms_common import topology
from sms_common.broker import Outgoing, Restored
from sms_common.broker.headers import CODE
from sms_common.events import utc_now
from sms_common.telemetry import metrics
from sms_common.topology import SMS, UNROUTED
from sms_dispatcher.delivery import unrouted
from tests.dispatcher.conftest import Rig

WHOLE = topology.joined((topology.pbx("main", ["acme"]), topology.base()))


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(unrouted, "_SOON_SECONDS", 0.0)


def counted() -> float:
    return metrics.registry.get_sample_value("smsgw_publish_total", {"outcome": "unrouted"}) or 0.0


async def put(
    rig: Rig, key: str, id_: str, *, exchange: str = SMS, age: timedelta = timedelta(), code: str = ""
) -> None:
    headers = {CODE: code} if code else {}
    message = Outgoing(exchange, key, b"{}", "t", id_, headers=headers, timestamp=utc_now() - age)
    await rig.broker.publish(message)


async def restored(rig: Rig) -> None:
    await rig.broker.restore(WHOLE, utc_now())
    task = rig.unrouted._returning
    assert task is not None
    await task
    await rig.idle()


def left(rig: Rig) -> list[str | None]:
    return [one.message_id for one in rig.broker.waiting(UNROUTED)]


async def test_statuses_that_were_confirmed_while_their_queue_was_gone_are_told_and_counted(rig):
    rig.broker.lose("pbx.main.status")
    await rig.send()
    assert [one.routing_key for one in rig.broker.waiting(UNROUTED)] == [
        "sms.status.acme.accepted",
        "sms.status.acme.submitted",
    ]
    before = counted()
    await restored(rig)

    assert left(rig) == []
    assert rig.story() == ["accepted", "submitted"]
    assert counted() - before == 2


@pytest.mark.parametrize(
    ("key", "code", "age"),
    [
        ("sms.status.acme.sent", "", timedelta(days=1)),
        ("sms.inbound.acme.12025550143", "config_disabled", timedelta()),
        ("sms.inbound.-.12025550143", "", timedelta()),
        ("sms.status.nobody.sent", "", timedelta()),
        ("something.else", "", timedelta()),
    ],
    ids=["older than the loss", "parked with a reason", "owned by nobody", "a tenant without a PBX", "a stranger's"],
)
async def test_what_lies_there_for_another_reason_stays(rig, key, code, age):
    rig.broker.lose("pbx.main.status")
    rig.broker.lose("pbx.main.inbound")
    await put(rig, key, "m1", code=code, age=age)
    await restored(rig)

    assert left(rig) == ["m1"]


async def test_more_than_one_look_can_hold_comes_back_too(rig, monkeypatch):
    monkeypatch.setattr(unrouted, "_AT_A_TIME", 2)
    rig.broker.lose("pbx.main.status")
    for number in range(5):
        await put(rig, "sms.status.acme.sent", f"m{number}")
    await restored(rig)

    assert left(rig) == []
    assert [one.message_id for one in rig.broker.waiting("pbx.main.status")] == [f"m{number}" for number in range(5)]


async def test_a_broker_that_goes_away_meanwhile_is_waited_for(rig):
    rig.broker.lose("pbx.main.status")
    await put(rig, "sms.status.acme.sent", "m1")
    await rig.broker.restore(WHOLE, utc_now())
    rig.broker.away = True
    for _ in range(10):
        await asyncio.sleep(0)
    rig.broker.away = False
    await rig.unrouted._returning

    assert left(rig) == []


async def test_one_that_cannot_go_back_keeps_no_other_from_coming_back(rig):
    rig.broker.lose("pbx.main.status")
    rig.broker.lose("pbx.main.inbound")
    await put(rig, "sms.inbound.acme.12025550143", "no event")
    await put(rig, "sms.status.acme.sent", "m1")
    await restored(rig)

    assert left(rig) == ["no event"]
    assert [one.message_id for one in rig.broker.waiting("pbx.main.status")] == ["m1"]


async def test_what_is_made_again_while_it_is_looked_gets_a_look_of_its_own(rig, monkeypatch):
    rig.broker.lose("pbx.main.status")
    await put(rig, "sms.status.acme.sent", "m1")
    since, browse, looks = utc_now(), rig.broker.browse, 0

    @asynccontextmanager
    async def made_again_meanwhile(queue, **limits):
        nonlocal looks
        looks += 1
        async with browse(queue, **limits) as held:
            if looks == 2:  # m1 came back unrouted, and is not tried again in this look
                await rig.broker.restore(WHOLE, since)
            yield held

    monkeypatch.setattr(rig.broker, "browse", made_again_meanwhile)
    await rig.unrouted.schedule(Restored(frozenset({"pbx.main.inbound"}), since))
    await rig.unrouted._returning
    await rig.idle()

    assert left(rig) == []
