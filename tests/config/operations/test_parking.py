"""Dead letters and unrouted messages through the API: seen by whom they belong to, masked, replayed, never lost."""

from pathlib import Path
from urllib.parse import quote

import pytest

from sms_common.broker import Delivery, Parked, dead_letter
from sms_common.errors import Code, Unavailable
from sms_common.events import MAX_EVENT_BYTES
from sms_common.topology import CARRIER, DEAD, OUTBOUND, UNROUTED
from sms_config.model.records import AuditRecord
from sms_config.operations.parking import MAX_LISTED_BYTES, tenant_of
from tests.config.unrouted import UNROUTED_MESSAGES, unowned

pytestmark = pytest.mark.loopback

DEAD_LETTERS = "/api/v1/dead-letters"
RABBITMQ_CONF = Path(__file__).parents[3] / "deploy" / "rabbitmq" / "rabbitmq.conf"
REQUEST = b'{"message_id":"m1","tenant_id":"acme","extension":"101","to":"+13125550100","text":"See you at nine"}'


def letter(message_id="m1", *, tenant="acme", source=OUTBOUND, key=None, body=REQUEST, code=Code.HANDLER_FAILED):
    routing_key = key or f"sms.outbound.{tenant}"
    given = {"source": source, "routing_key": routing_key, "type": "sms.outbound.v1", "message_id": message_id}
    return dead_letter(body, code, "It failed for +13125550100.", **given)


def ids(answer):
    return [item["id"] for item in answer.json["items"]]


def audited(store):
    return [(r.action, r.object_id, r.tenant_id, r.kind) for r in store.records[AuditRecord].values() if not r.version]


async def test_a_list_masks_and_says_why(api, broker):
    await broker.publish(letter())

    answer = await api.get(DEAD_LETTERS)

    assert answer.json["count"] == 1
    (item,) = answer.json["items"]
    assert (item["id"], item["tenant_id"], item["code"], item["source"]) == ("m1", "acme", "handler_failed", OUTBOUND)
    assert (item["stuck"], item["stuck_code"]) == (None, None)
    assert item["size"] == len(REQUEST)
    assert "5550100" not in answer.text
    assert len(broker.waiting(DEAD)) == 1


async def test_pages_and_codes_choose(api, broker):
    for number in range(5):
        await broker.publish(letter(f"m{number}", code=Code.NOT_JSON if number % 2 else Code.HANDLER_FAILED))

    page = await api.get(f"{DEAD_LETTERS}?skip=1&top=2")
    chosen = await api.get(f"{DEAD_LETTERS}?code=not_json")

    assert (page.json["count"], ids(page)) == (5, ["m1", "m2"])
    assert (chosen.json["count"], ids(chosen)) == (2, ["m1", "m3"])


async def test_large_bodies_are_not_all_looked_at_at_once(api, broker):
    for number in range(4):
        await broker.publish(letter(f"m{number}", body=b"x" * (MAX_LISTED_BYTES // 2)))

    listed = await api.get(DEAD_LETTERS)
    await api.call("POST", f"{DEAD_LETTERS}/discard", {"ids": ids(listed)})
    then = await api.get(DEAD_LETTERS)

    assert (ids(listed), ids(then)) == (["m0", "m1"], ["m2", "m3"])
    assert len(broker.waiting(DEAD)) == 2


def test_the_broker_takes_every_event_and_nothing_much_larger():
    settings = (line.partition("=") for line in RABBITMQ_CONF.read_text().splitlines())
    limit = int(next(value for name, _, value in settings if name.strip() == "max_message_size"))

    assert 2 * MAX_EVENT_BYTES <= limit <= MAX_LISTED_BYTES / 8


@pytest.mark.parametrize(
    "message_id", ["m1", "with/slash", "a b?c#d%2F", "ü"], ids=["plain", "slash", "reserved", "not ascii"]
)
async def test_one_is_read_masked_and_revealed_only_with_a_trace(api, broker, store, message_id):
    await broker.publish(letter(message_id))
    path = f"{DEAD_LETTERS}/{quote(message_id, safe='')}"

    masked = await api.get(path)
    before = audited(store)
    whole = await api.call("POST", f"{path}/reveal")

    assert masked.json["revealed"] is False
    assert masked.json["body"]["message_id"] == "m1"
    assert "See you" not in masked.text
    assert "5550100" not in masked.text
    assert before == []
    assert whole.json["body"]["text"] == "See you at nine"
    assert audited(store) == [("revealed", message_id, "acme", "dead_letters")]
    assert "See you" not in (await api.get("/api/v1/audit")).text


async def test_a_body_that_is_no_json_is_shown_when_revealed_only(api, broker):
    await broker.publish(letter(body=b"call +13125550100 \xff"))

    masked = await api.get(f"{DEAD_LETTERS}/m1")
    whole = await api.call("POST", f"{DEAD_LETTERS}/m1/reveal")

    assert masked.json["body"] is None
    assert whole.json["body"] == "call +13125550100 \\xff"


async def test_a_replay_goes_back_to_its_queue_and_is_audited(api, broker, store):
    await broker.publish(letter("m1"))
    await broker.publish(letter("m2"))

    answer = await api.call("POST", f"{DEAD_LETTERS}/replay", {"ids": ["m1", "nothing"]})

    assert answer.json == {"done": ["m1"], "left": [], "absent": ["nothing"]}
    assert [(got.message_id, got.body) for got in broker.waiting(OUTBOUND)] == [("m1", REQUEST)]
    assert [got.message_id for got in broker.waiting(DEAD)] == ["m2"]
    assert audited(store) == [("replayed", "m1", "acme", "dead_letters")]


async def test_a_discard_removes_and_is_audited(api, broker, store):
    await broker.publish(letter("m1"))

    answer = await api.call("POST", f"{DEAD_LETTERS}/discard", {"ids": ["m1"]})

    assert answer.json["done"] == ["m1"]
    assert broker.waiting(DEAD) == []
    assert audited(store) == [("discarded", "m1", "acme", "dead_letters")]


async def test_what_has_no_way_back_says_why_and_stays(api, broker, store):
    await broker.publish(letter("w1", source="a-door", key="sms.carrier.bandwidth.c1"))

    (item,) = (await api.get(DEAD_LETTERS)).json["items"]
    answer = await api.call("POST", f"{DEAD_LETTERS}/replay", {"ids": ["w1"]})

    assert (item["tenant_id"], item["config_id"]) == (None, "c1")
    assert "hand its body in there again" in item["stuck"]
    assert item["stuck_code"] == "no_queue"
    assert answer.json["left"] == [{"id": "w1", "code": "no_queue", "says": item["stuck"]}]
    assert len(broker.waiting(DEAD)) == 1
    assert audited(store) == []


async def test_what_came_from_a_queue_that_is_gone_stays_and_the_others_go(api, broker):
    await broker.publish(letter("m1", source="pbx.gone.inbound", key="sms.inbound.acme.12015550100"))
    await broker.publish(letter("m2"))

    answer = await api.call("POST", f"{DEAD_LETTERS}/replay", {"ids": ["m1", "m2"]})

    said = "There is no queue pbx.gone.inbound any more."
    assert answer.json["left"] == [{"id": "m1", "code": "queue_gone", "says": said}]
    assert answer.json["done"] == ["m2"]
    assert [got.message_id for got in broker.waiting(DEAD)] == ["m1"]


async def test_nothing_but_an_inbound_text_is_given_to_a_tenant(api, broker, acme):
    await broker.publish(letter("m1"))

    answer = await api.call("POST", f"{DEAD_LETTERS}/replay", {"ids": ["m1"], "tenant_id": "acme"})

    said = "Only an inbound text that nobody got can be given to a tenant."
    assert answer.json["left"] == [{"id": "m1", "code": "no_inbound_text", "says": said}]


async def test_a_text_is_given_to_no_tenant_that_does_not_exist(api, broker):
    await broker.publish(unowned())

    answer = await api.call("POST", f"{UNROUTED_MESSAGES}/replay", {"ids": ["i1"], "tenant_id": "nobody"})

    assert (answer.status, answer.field_errors()) == (422, {"tenant_id": "is not a known tenant"})
    assert len(broker.waiting(UNROUTED)) == 1


class TestTenancy:
    @pytest.fixture
    async def theirs(self, api, broker, key_for, acme):
        await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})
        for name in ("acme", "globex"):
            await broker.publish(letter(f"of-{name}", tenant=name))
        await broker.publish(letter("of-nobody", source=CARRIER, key="sms.carrier.bandwidth.c1"))
        return await key_for("operate", tenants=["globex"])

    async def test_a_list_holds_and_counts_ones_own(self, theirs):
        answer = await theirs.get(DEAD_LETTERS)

        assert (answer.json["count"], ids(answer)) == (1, ["of-globex"])

    @pytest.mark.parametrize("other", ["of-acme", "of-nobody", "nothing"])
    async def test_another_tenants_letter_is_not_there(self, theirs, broker, store, other):
        read = await theirs.get(f"{DEAD_LETTERS}/{other}")
        revealed = await theirs.call("POST", f"{DEAD_LETTERS}/{other}/reveal")
        acted = [
            await theirs.call("POST", f"{DEAD_LETTERS}/{verb}", {"ids": [other]}) for verb in ("replay", "discard")
        ]

        assert (read.status, revealed.status) == (404, 404)
        assert [answer.json for answer in acted] == [{"done": [], "left": [], "absent": [other]}] * 2
        assert len(broker.waiting(DEAD)) == 3
        assert audited(store) == []

    async def test_a_system_administrator_within_a_tenant_sees_that_tenants(self, api, theirs):
        answer = await api.get(DEAD_LETTERS, headers={"X-Tenant": "globex"})

        assert ids(answer) == ["of-globex"]

    async def test_ones_own_is_replayed(self, theirs, broker):
        answer = await theirs.call("POST", f"{DEAD_LETTERS}/replay", {"ids": ["of-globex"]})

        assert answer.json["done"] == ["of-globex"]
        assert [got.message_id for got in broker.waiting(OUTBOUND)] == ["of-globex"]


ORIGINS = [
    ("sms.outbound.acme", OUTBOUND, "acme"),
    ("sms.outbound.acme.cancel", OUTBOUND, "acme"),
    ("sms.outbound.acme", CARRIER, None),
    ("sms.outbound", OUTBOUND, None),
    ("sms.inbound.acme.12015550100", "pbx.main.inbound", "acme"),
    ("sms.inbound.acme.12015550100", OUTBOUND, None),
    ("sms.inbound.-.12015550100", "pbx.main.inbound", None),
    ("sms.status.acme.delivered", "pbx.main.status", "acme"),
    ("sms.status.acme.delivered", "webhooks", None),
    ("sms.carrier.bandwidth.acme", CARRIER, None),
    ("sms.lane.acme", "sms.lane.acme", None),
    ("sms.config.acme.updated", "sms.config", None),
    ("sms.outbound.ac me", OUTBOUND, None),
    ("acme", OUTBOUND, None),
]


@pytest.mark.parametrize(("key", "source", "tenant"), ORIGINS)
def test_a_dead_letters_tenant_follows_from_its_key_and_queue(key, source, tenant):
    headers = dict(letter(source=source, key=key).headers)
    delivery = Delivery(queue=DEAD, routing_key=source, body=REQUEST, headers=headers)

    assert tenant_of(Parked.read(delivery)) == tenant


@pytest.mark.parametrize(
    ("seen", "headers", "tenant"),
    [
        ("sms.inbound.acme.1", {}, "acme"),
        ("sms.inbound.-.1", {}, None),
        ("sms.stray.acme", {"x-routing-key": "sms.outbound.globex"}, None),
        ("sms.inbound.acme.1", {"x-routing-key": "sms.inbound.globex.1"}, "acme"),
        ("sms.stray", {"x-routing-key": "sms.inbound.globex.1", "x-source-queue": "pbx.main.inbound"}, None),
    ],
    ids=["own key", "nobody", "a stranger's header", "two stories", "a stranger's headers"],
)
def test_an_unrouted_messages_tenant_follows_from_the_key_the_broker_saw(seen, headers, tenant):
    delivery = Delivery(queue=UNROUTED, routing_key=seen, body=b"{}", headers=headers)

    assert tenant_of(Parked.read(delivery)) == tenant


async def test_while_the_broker_is_away_that_is_said(api, broker):
    broker.away = True

    for method, path, body in (
        ("GET", DEAD_LETTERS, None),
        ("GET", f"{UNROUTED_MESSAGES}/x", None),
        ("POST", f"{DEAD_LETTERS}/replay", {"ids": ["x"]}),
    ):
        answer = await api.call(method, path, body)
        assert (answer.status, answer.json["code"], answer.headers["Retry-After"]) == (503, "broker_unavailable", "5")


@pytest.mark.parametrize("failing", ["publish", "store"])
async def test_nothing_is_lost_when_a_replay_breaks_off(api, broker, store, monkeypatch, failing):
    await broker.publish(letter("m1"))
    if failing == "publish":
        broker.blocked = True
        answer = await api.call("POST", f"{DEAD_LETTERS}/replay", {"ids": ["m1"]})
        assert answer.json["code"] == "broker_unavailable"
        broker.blocked = False
    else:

        async def away(_):
            raise Unavailable(Code.STORE_UNAVAILABLE, "The store is away.")

        monkeypatch.setattr(store, "transact", away)
        answer = await api.call("POST", f"{DEAD_LETTERS}/discard", {"ids": ["m1"]})
        assert answer.json["code"] == "store_unavailable"

    assert answer.status == 503
    assert [got.message_id for got in broker.waiting(DEAD)] == ["m1"]


async def test_what_was_done_before_the_broker_went_is_told(api, broker, monkeypatch):
    for number in range(3):
        await broker.publish(letter(f"m{number}"))
    publish = broker.publish

    async def once(message):
        if broker.waiting(OUTBOUND):
            raise Unavailable(Code.BROKER_UNAVAILABLE, "The broker went.")
        await publish(message)

    monkeypatch.setattr(broker, "publish", once)
    answer = await api.call("POST", f"{DEAD_LETTERS}/replay", {"ids": ["m0", "m1", "m2"]})

    assert answer.json["done"] == ["m0"]
    assert [(left["id"], left["code"]) for left in answer.json["left"]] == [
        ("m1", "broker_unavailable"),
        ("m2", "broker_unavailable"),
    ]
    assert [got.message_id for got in broker.waiting(DEAD)] == ["m1", "m2"]


@pytest.mark.parametrize("scope", ["send", "read", "config"])
async def test_reading_and_acting_have_their_scopes(api, broker, key_for, acme, scope):
    await broker.publish(letter())
    key = await key_for(scope)

    read = await key.get(DEAD_LETTERS)
    acted = [
        await key.call("POST", f"{DEAD_LETTERS}/{path}", body)
        for path, body in (("m1/reveal", None), ("replay", {"ids": ["m1"]}), ("discard", {"ids": ["m1"]}))
    ]

    assert read.status == (403 if scope == "send" else 200)
    assert [answer.status for answer in acted] == [403, 403, 403]
    assert len(broker.waiting(DEAD)) == 1
