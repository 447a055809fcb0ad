"""`dead-letters` and `unrouted`."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sms_common.broker import Outgoing, dead_letter
from sms_common.errors import Code
from sms_common.events import InboundEvent
from sms_common.testing.broker import FakeBroker
from sms_common.topology import CARRIER, DEAD, OUTBOUND, UNROUTED
from sms_config.main import ExternalServices, build_app
from sms_config.storage.testing import InMemoryStore
from tests.cli.world import Command
from tests.common.broker.test_parked import UNOWNED
from tests.config.world import BOOTSTRAP, TRUNK, Api, make_settings

BODY = b'{"message_id":"m1","to":"+13125550100","text":"my secret text"}'


def letter(message_id: str = "m1", code: Code = Code.HANDLER_FAILED, source: str = OUTBOUND) -> Outgoing:
    return dead_letter(
        BODY,
        code,
        "It failed.",
        source=source,
        routing_key="sms.outbound.acme",
        type="sms.outbound.v1",
        message_id=message_id,
    )


@pytest.fixture
async def letters(broker: FakeBroker) -> None:
    await broker.publish(letter("m1"))
    await broker.publish(letter("m2", Code.NOT_JSON))
    await broker.publish(letter("m3", Code.WEBHOOK_UNREADABLE, "webhooks"))


def ids(broker: FakeBroker, queue: str = DEAD) -> list[str | None]:
    return [one.message_id for one in broker.waiting(queue)]


async def test_a_list_says_why_and_whence_and_leaves_all_where_it_is(smsgw: Command, broker: FakeBroker, letters: None):
    ended = await smsgw("dead-letters", "list")
    assert ended.status == 0
    for word in ("m1", "handler_failed", OUTBOUND, "sms.outbound.acme", "It failed.", "m3", "webhooks"):
        assert word in ended.out
    assert ids(broker) == ["m1", "m2", "m3"]


async def test_a_list_can_be_narrowed_to_a_code(smsgw: Command, letters: None):
    ended = await smsgw("dead-letters", "list", "--code", "not_json", "--json")
    assert [(one["id"], one["code"], one["from"]) for one in ended.json] == [("m2", "not_json", OUTBOUND)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["list"], "nothing is parked here", id="empty"),
        pytest.param(["list", "--code", "not_json"], "nothing is parked here", id="empty, of a code"),
    ],
)
async def test_an_empty_place_says_so(smsgw: Command, arguments: list[str], told: str):
    ended = await smsgw("unrouted", *arguments)
    assert (ended.status, ended.err.strip()) == (0, told)


async def test_a_list_says_when_it_did_not_look_at_all(smsgw: Command, letters: None):
    assert "--limit" in (await smsgw("dead-letters", "list", "--limit", "2")).err
    assert "none of this code" in (await smsgw("dead-letters", "list", "--code", "expired")).err


async def test_a_body_is_masked_until_it_is_asked_for(smsgw: Command, letters: None):
    masked = await smsgw("dead-letters", "show", "m1")
    assert "my secret text" not in masked.out
    assert "5550100" not in masked.out
    whole = await smsgw("dead-letters", "show", "m1", "--show")
    assert "my secret text" in whole.out
    assert "+13125550100" in whole.out
    as_json = (await smsgw("dead-letters", "show", "m1", "--json")).json
    assert (as_json["id"], as_json["code"], as_json["body"]["text"]) == ("m1", "handler_failed", "***")


async def test_a_body_that_is_no_json_is_shown_only_when_asked_for(smsgw: Command, broker: FakeBroker):
    await broker.publish(
        dead_letter(b"\x1b[2Jraw", Code.NOT_JSON, "No.", source=OUTBOUND, routing_key="k", message_id="m9")
    )
    assert "raw" not in (await smsgw("dead-letters", "show", "m9")).out
    shown = (await smsgw("dead-letters", "show", "m9", "--show")).out
    assert "raw" in shown
    assert "\x1b" not in shown  # it would have cleared the person's screen


async def test_what_is_not_there_cannot_be_shown(smsgw: Command):
    ended = await smsgw("dead-letters", "show", "m1")
    assert ended.status == 1
    assert "no message of the id m1" in ended.err


async def test_a_replay_goes_to_its_queue_and_only_what_was_meant_goes(
    smsgw: Command, broker: FakeBroker, letters: None
):
    ended = await smsgw("dead-letters", "replay", "m1", "--yes")
    assert (ended.status, ended.out) == (0, "replayed 1\n")
    assert ids(broker) == ["m2", "m3"]
    (back,) = broker.waiting(OUTBOUND)
    assert (back.message_id, back.body, back.routing_key, back.attempt) == ("m1", BODY, "sms.outbound.acme", 0)


async def test_what_has_no_way_back_stays_and_is_named(smsgw: Command, broker: FakeBroker, letters: None):
    ended = await smsgw("dead-letters", "replay", "--all", "--yes", "--json")
    assert ended.status == 1
    assert ended.json["replayed"] == ["m1", "m2"]
    assert "webhooks" in ended.json["left"]["m3"]
    assert ids(broker) == ["m3"]
    assert "left m3" in (await smsgw("dead-letters", "replay", "m3", "--yes")).out


async def test_a_discard_removes_those_of_a_code_and_no_others(smsgw: Command, broker: FakeBroker, letters: None):
    ended = await smsgw("dead-letters", "discard", "--all", "--code", "not_json", "--yes")
    assert (ended.status, ended.out) == (0, "discarded 1\n")
    assert ids(broker) == ["m1", "m3"]


async def test_the_person_is_asked_first_and_a_no_changes_nothing(smsgw: Command, broker: FakeBroker, letters: None):
    ended = await smsgw("dead-letters", "discard", "--all", answer="n\n")
    assert ended.status == 1
    assert "discard 3 of the messages in sms.dead?" in ended.out
    assert ids(broker) == ["m1", "m2", "m3"]
    assert (await smsgw("dead-letters", "discard", "--all", answer="y\n")).status == 0
    assert ids(broker) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["discard"], "--all", id="neither ids nor all"),
        pytest.param(["discard", "m1", "--all"], "--all", id="ids and all"),
        pytest.param(["discard", "--all", "--json"], "--yes", id="a program is not asked"),
        pytest.param(["replay", "--all", "--tenant", "no.dots"], "not a tenant", id="no tenant's id"),
    ],
)
async def test_a_command_line_that_cannot_be_used_is_refused(
    smsgw: Command, broker: FakeBroker, letters: None, arguments: list[str], told: str
):
    ended = await smsgw("dead-letters", *arguments)
    assert ended.status == 2
    assert told in ended.err
    assert ids(broker) == ["m1", "m2", "m3"]


async def test_an_id_that_is_not_there_is_named(smsgw: Command, letters: None):
    ended = await smsgw("dead-letters", "replay", "m1", "m7", "--yes")
    assert ended.status == 1
    assert "there is no m7 in sms.dead" in ended.err


async def test_a_broker_that_stops_taking_messages_keeps_the_rest_parked(
    smsgw: Command, broker: FakeBroker, letters: None
):
    broker.blocked = True
    ended = await smsgw("dead-letters", "replay", "--all", "--yes")
    assert ended.status == 1
    assert "0 were replayed before" in ended.err
    assert ids(broker) == ["m1", "m2", "m3"]


@pytest.mark.loopback
class TestUnrouted:
    """An inbound text goes the way of a new one, for the tenant that owns its number and for nobody else."""

    @pytest.fixture
    async def api(self, broker: FakeBroker) -> AsyncIterator[Api]:
        app = build_app(
            make_settings(),
            InMemoryStore(),
            wake=lambda: None,
            waiting_for=lambda: None,
            external=ExternalServices(broker),
        )
        async with TestClient(TestServer(app)) as client:
            api = Api(client, BOOTSTRAP)
            for name in ("acme", "globex"):
                await api.made("/api/v1/tenants", {"id": name, "name": name})
            await broker.publish(
                Outgoing(
                    UNROUTED,
                    "sms.inbound.-.12025550123",
                    UNOWNED.encode(),
                    InboundEvent.TYPE,
                    "e1",
                    headers={"x-code": "unrouted_did"},
                )
            )
            yield api

    @pytest.fixture
    def smsgw(self, api: Api, broker: FakeBroker) -> Command:
        return Command(env={"SMSGW_CONFIG_URL": api.url("").rstrip("/"), "SMSGW_API_KEY": BOOTSTRAP}, broker=broker)

    async def owned(self, api: Api) -> None:
        await api.made("/api/v1/trunks", {**TRUNK, "tenant_id": "acme", "dids": "2025550123"})

    async def test_one_that_nobody_owns_stays_and_says_so(self, smsgw: Command, broker: FakeBroker):
        ended = await smsgw("unrouted", "replay", "--all", "--yes")
        assert (ended.status, ended.out.split("\n")[0]) == (1, "replayed 0")
        assert "Nobody owns its number" in ended.out
        assert ids(broker, UNROUTED) == ["e1"]

    @pytest.mark.parametrize(
        ("tenant", "told"), [("globex", "Its number is not globex's."), ("nobody", "is not a known tenant")]
    )
    async def test_no_other_tenant_gets_it(self, smsgw: Command, broker: FakeBroker, api: Api, tenant: str, told: str):
        await self.owned(api)
        ended = await smsgw("unrouted", "replay", "e1", "--tenant", tenant, "--yes")
        assert ended.status == 1
        assert told in ended.out + ended.err
        assert (ids(broker, UNROUTED), ids(broker, CARRIER)) == (["e1"], [])

    async def test_the_owner_gets_it_by_the_dispatcher(self, smsgw: Command, broker: FakeBroker, api: Api):
        await self.owned(api)
        ended = await smsgw("unrouted", "replay", "--all", "--tenant", "acme", "--yes", "--json")
        assert (ended.status, ended.json) == (0, {"replayed": ["e1"], "left": {}})
        assert (ids(broker, UNROUTED), ids(broker, CARRIER)) == ([], ["e1"])

    async def test_without_the_config_service_nothing_is_done(self, smsgw: Command, broker: FakeBroker):
        ended = await smsgw("unrouted", "replay", "--all", "--yes", env={"SMSGW_API_KEY": ""})
        assert ended.status == 1
        assert "SMSGW_API_KEY is not set" in ended.err
        assert ids(broker, UNROUTED) == ["e1"]

    async def test_a_person_is_asked_first(self, smsgw: Command, broker: FakeBroker):
        ended = await smsgw("unrouted", "replay", "--all", answer="n\n")
        assert ended.status == 1
        assert "replay 1 of the messages in sms.unrouted?" in ended.out
