"""The ledger's contract, on MongoDB and in memory: what one writer records, every other one meets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sms_common.errors import Code, Unavailable, UnreadableEvent
from sms_common.events import StatusError
from sms_common.messages import ErrorClass, Status
from sms_dispatcher.ledger.database import open_database
from sms_dispatcher.ledger.database_clock import DatabaseClock
from sms_dispatcher.ledger.entries import Echo, EntryKind, LedgerEntry, Receipt, Recipient, SendRoute
from sms_dispatcher.ledger.history import History, MessageQuery
from sms_dispatcher.ledger.ledger import INDEXES, Ledger, MatchedReceipt
from tests.dispatcher.builders import HANDSET, entry
from tests.dispatcher.memory_ledger import MemoryHistory, MemoryLedger
from tests.stack import Database

pytestmark = pytest.mark.integration

RETENTION = timedelta(days=90)
OTHER = "+13125550132"


def now() -> datetime:
    """MongoDB keeps milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@asynccontextmanager
async def on_mongodb(database: Database) -> AsyncIterator[Ledger]:
    async with open_database(database.url, database.name) as messages:
        ledger = Ledger(messages, owner="tests", retention=RETENTION)
        await ledger.prepare()
        yield ledger


@pytest.fixture
async def mongo_ledger(database: Database) -> AsyncIterator[Ledger]:
    async with on_mongodb(database) as ledger:
        yield ledger


@pytest.fixture(params=["mongodb", "memory"])
async def ledger(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger(now, RETENTION)
        return
    async with on_mongodb(database) as ledger:
        yield ledger


def history_of(ledger: Ledger) -> History:
    """What people read of the same messages."""
    if isinstance(ledger, MemoryLedger):
        return MemoryHistory(ledger)
    return History(ledger._messages.database)  # type: ignore[arg-type]  # Motor's stub takes it for a collection


class Profile:
    """MongoDB's own notes of what it did inside the block."""

    def __init__(self, ledger: Ledger) -> None:
        self._database = ledger._messages.database

    async def __aenter__(self) -> None:
        await self._database.command("profile", 2)

    async def __aexit__(self, *_: object) -> None:
        await self._database.command("profile", 0)

    async def documents_read(self) -> list[int]:
        """By each operation on the messages."""
        notes = self._database["system.profile"].find({"ns": f"{self._database.name}.messages"})
        return [note.get("docsExamined", 0) async for note in notes]


def fresh(**changes) -> LedgerEntry:
    moment = now()
    return entry(created_at=moment, updated_at=moment, occurred_at=moment, fingerprint="f", **changes)


def matched(
    status: Status, *, reference: str | None = "acme/m-1", allowed: bool = True, to: str = HANDSET
) -> MatchedReceipt:
    error = StatusError(error_class=ErrorClass.PERMANENT, code="x") if status is Status.FAILED else None
    receipt = Receipt(to, status, now(), "carrier-1", wait_until=now() + timedelta(hours=100), error=error)
    return MatchedReceipt(receipt, reference, lambda _: allowed)


async def submitted(ledger: Ledger, **changes) -> LedgerEntry:
    await ledger.accept(fresh(**changes))
    claimed = await ledger.claim("acme/m-1", "claim")
    assert claimed is not None
    after = replace(
        claimed, status=Status.SUBMITTED, sequence=claimed.sequence + 1, provider_msg_id="carrier-1", due_at=None
    )
    assert await ledger.finish(claimed, after, "change")
    return after


async def test_an_entry_comes_back_as_it_was_recorded(ledger):
    whole = fresh(
        kind=EntryKind.GROUP,
        media=("https://a.example/1",),
        error=StatusError(error_class=ErrorClass.POLICY, code="x", field="to", carrier_code="4775"),
        recipients=(Recipient(HANDSET, "m-1.1", Status.SENT, 3), Recipient(OTHER, "m-1.2", Status.ACCEPTED)),
        echo=Echo("101", "c", "r", {"a": 1}),
        expires_at=now(),
        due_at=now(),
    )

    assert await ledger.accept(whole) is None
    assert await ledger.find("acme", "m-1") == whole


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"segments": 2**63}, id="integer beyond 64 bits"),
        pytest.param({"text": "\ud83d"}, id="half a character"),
        pytest.param({"expires_at": datetime.fromisoformat("0001-01-01T00:00:00+14:00")}, id="before time"),
    ],
)
async def test_what_mongodb_cannot_hold_is_refused_and_its_neighbours_are_recorded(mongo_ledger, bad):
    entries = [fresh(), fresh(message_id="bad", **bad), fresh(message_id="m-2")]

    results = await asyncio.gather(*(mongo_ledger.accept(entry) for entry in entries), return_exceptions=True)

    assert isinstance(results[1], UnreadableEvent)
    assert (results[1].code, results[0], results[2]) == (Code.INVALID_REQUEST, None, None)


@pytest.mark.parametrize(
    "metadata", [{"$ref": "x", "$id": 1}, {"$set": 1, "a.b": None, "": True}, {"a\x00": "\x00"}, {"n": 2**63 - 1}, {}]
)
async def test_metadata_comes_back_as_it_was_whatever_its_names_mean_to_mongodb(mongo_ledger, metadata):
    await mongo_ledger.accept(fresh(echo=Echo("101", None, None, metadata)))

    assert (await mongo_ledger.find("acme", "m-1")).echo.metadata == metadata


async def test_of_many_who_record_the_same_id_one_is_first(ledger):
    known = await asyncio.gather(*(ledger.accept(fresh(text=f"{n}")) for n in range(50)))

    assert known.count(None) == 1
    assert len({item.text for item in known if item is not None}) == 1


async def test_of_many_who_claim_one_gets_it(ledger):
    await ledger.accept(fresh())
    claims = await asyncio.gather(*(ledger.claim("acme/m-1", f"claim-{n}") for n in range(50)))

    assert len({item.claim_id for item in claims}) == 1
    assert {item.attempt for item in claims} == {1}


async def test_a_claim_of_nothing_finds_nothing(ledger):
    assert await ledger.claim("acme/ghost", "claim") is None


@pytest.mark.parametrize("status", [s for s in Status if s.rank >= Status.SUBMITTING.rank], ids=str)
async def test_what_is_under_way_or_over_cannot_be_claimed(ledger, status):
    await ledger.accept(fresh(status=status))

    found = await ledger.claim("acme/m-1", "claim")

    assert (found.status, found.claim_id) == (status, None)


async def test_an_outcome_is_recorded_once_and_its_repeat_is_no_harm(ledger):
    await ledger.accept(fresh())
    claimed = await ledger.claim("acme/m-1", "claim")
    after = replace(claimed, status=Status.SUBMITTED, sequence=claimed.sequence + 1, provider_msg_id="carrier-1")

    assert [await ledger.finish(claimed, after, "same"), await ledger.finish(claimed, after, "same")] == [True, True]
    assert not await ledger.finish(claimed, after, "another")


async def test_an_outcome_that_comes_after_the_receipt_is_refused(ledger):
    await ledger.accept(fresh())
    claimed = await ledger.claim("acme/m-1", "claim")
    await ledger.apply(matched(Status.DELIVERED))
    after = replace(claimed, status=Status.SUBMITTED, sequence=claimed.sequence + 1)

    assert not await ledger.finish(claimed, after, "change")
    assert (await ledger.find("acme", "m-1")).status is Status.DELIVERED


async def test_the_carriers_id_is_noted_beside_a_faster_receipt(ledger):
    await ledger.accept(fresh())
    claimed = await ledger.claim("acme/m-1", "claim")
    await ledger.note_carrier_id(claimed, "carrier-9", 2)

    found = await ledger.find("acme", "m-1")
    assert (found.provider_msg_id, found.segments) == ("carrier-9", 2)


async def test_a_change_of_what_has_changed_is_refused(ledger):
    before = fresh()
    await ledger.accept(before)
    canceled = replace(before, status=Status.CANCELED, sequence=2)

    assert [await ledger.change(before, canceled), await ledger.change(before, canceled)] == [True, False]


async def test_a_claim_is_abandoned_only_after_its_lease(ledger):
    await ledger.accept(fresh())
    claimed = await ledger.claim("acme/m-1", "claim")

    assert not await ledger.abandon(claimed, replace(claimed, status=Status.UNKNOWN, sequence=claimed.sequence + 1))


async def test_receipts_that_come_together_end_in_the_highest_status(ledger):
    await submitted(ledger)
    order = [Status.SENT, Status.DELIVERED, Status.DELIVERED, Status.FAILED, Status.SENT]

    applied = await asyncio.gather(*(ledger.apply(matched(status)) for status in order))

    assert [change.happened for change in applied] == [True, True, False, False, False]
    assert (await ledger.find("acme", "m-1")).status is Status.DELIVERED


@pytest.mark.parametrize(
    ("reference", "allowed", "found"),
    [
        ("acme/m-1", True, True),
        (None, True, True),
        ("gw-9/zzz", True, True),
        ("acme/m-1", False, False),
        (None, False, False),
    ],
)
async def test_a_receipt_finds_its_message_by_reference_then_by_the_carriers_id(ledger, reference, allowed, found):
    await submitted(ledger)

    change = await ledger.apply(matched(Status.DELIVERED, reference=reference, allowed=allowed))

    assert (change is not None) is found


async def test_group_receipts_that_come_together_are_all_kept(ledger):
    members = (Recipient(HANDSET, "m-1.1", Status.ACCEPTED), Recipient(OTHER, "m-1.2", Status.ACCEPTED))
    await submitted(ledger, kind=EntryKind.GROUP, to=(HANDSET, OTHER), recipients=members)

    await asyncio.gather(*(ledger.apply(matched(Status.DELIVERED, to=to)) for to in (HANDSET, OTHER)))

    assert (await ledger.find("acme", "m-1")).status is Status.DELIVERED


async def test_what_is_due_is_given_to_one_and_not_again_when_done(ledger):
    due = fresh(status=Status.HELD, due_at=now() - timedelta(seconds=1))
    await ledger.accept(due)

    taken = [*await ledger.take_due(10), *await ledger.take_due(10)]
    await ledger.postpone(taken[0], None)

    assert [item.id for item in taken] == [due.id]
    assert (await ledger.find("acme", "m-1")).due_at is None


async def test_what_has_changed_meanwhile_is_not_postponed(ledger):
    due = fresh(status=Status.HELD, due_at=now() - timedelta(seconds=1))
    await ledger.accept(due)
    (taken,) = await ledger.take_due(10)
    sent = replace(taken, status=Status.SUBMITTED, sequence=2, due_at=now() + timedelta(hours=1))
    await ledger.change(taken, sent)
    await ledger.postpone(taken, None)

    assert (await ledger.find("acme", "m-1")).due_at == sent.due_at


async def test_what_somebody_else_has_made_due_since_it_was_taken_stays_so(ledger):
    await ledger.accept(fresh(status=Status.HELD, due_at=now() - timedelta(seconds=1)))
    (taken,) = await ledger.take_due(10)
    soon, later = now() + timedelta(seconds=30), now() + timedelta(days=1)

    await ledger.postpone(taken, soon)
    await ledger.postpone(taken, later, leased=True)
    assert (await ledger.find("acme", "m-1")).due_at == soon


async def test_what_was_taken_and_not_made_due_by_anybody_else_is_postponed(ledger):
    await ledger.accept(fresh(status=Status.HELD, due_at=now() - timedelta(seconds=1)))
    (taken,) = await ledger.take_due(10)
    later = now() + timedelta(days=1)

    await ledger.postpone(taken, later, leased=True)
    assert (await ledger.find("acme", "m-1")).due_at == later


async def test_a_claim_whose_lease_is_over_is_abandoned_once_and_only_as_it_was(ledger, monkeypatch):
    for module in ("sms_dispatcher.ledger.ledger", "tests.dispatcher.memory_ledger"):
        monkeypatch.setattr(f"{module}.LEASE", timedelta(seconds=-1))
    await ledger.accept(fresh())
    claimed = await ledger.claim("acme/m-1", "claim")
    unknown = replace(claimed, status=Status.UNKNOWN, sequence=claimed.sequence + 1)

    assert not await ledger.abandon(replace(claimed, claim_id="another"), unknown)
    assert [await ledger.abandon(claimed, unknown), await ledger.abandon(claimed, unknown)] == [True, False]
    assert (await ledger.find("acme", "m-1")).status is Status.UNKNOWN


LOST = {"message_id": "m-1", "status": Status.UNKNOWN}


@pytest.mark.parametrize(
    ("others", "possible"),
    [
        pytest.param([], {"c-1", "c-2"}, id="nobody else"),
        pytest.param([{"provider_msg_id": "c-1", "status": Status.SUBMITTED}], {"c-2"}, id="an id is another's"),
        pytest.param([{"provider_msg_id": "c-9", "status": Status.SUBMITTED}], {"c-1", "c-2"}, id="other ids"),
        pytest.param(
            [{"provider_msg_id": "c-2", "status": Status.DELIVERED, "kind": EntryKind.INBOUND}],
            {"c-1"},
            id="an inbound text's",
        ),
        pytest.param([{"status": Status.UNKNOWN}], set(), id="a rival whose answer was lost too"),
        pytest.param([{"status": Status.UNKNOWN, "tenant_id": "other"}], set(), id="a rival of another tenant"),
        pytest.param([{"status": Status.SUBMITTING}], set(), id="a rival that is being sent"),
        pytest.param(
            [{"status": Status.SUBMITTING, "tenant_id": "other"}], {"c-1", "c-2"}, id="another tenant's is being sent"
        ),
        pytest.param([{"status": Status.UNKNOWN, "to": (OTHER,)}], {"c-1", "c-2"}, id="to somebody else"),
        pytest.param([{"status": Status.UNKNOWN, "to": (HANDSET, OTHER)}], {"c-1", "c-2"}, id="to a group"),
        pytest.param([{"status": Status.UNKNOWN, "sender": "+12025550149"}], {"c-1", "c-2"}, id="from somebody else"),
        pytest.param([{"status": Status.QUEUED}], {"c-1", "c-2"}, id="one that only waits"),
    ],
)
async def test_a_carriers_id_could_be_a_lost_messages_only_when_it_can_be_no_others(ledger, others, possible):
    lost = fresh(**LOST)
    await ledger.accept(lost)
    for number, other in enumerate(others, 2):
        await ledger.accept(fresh(**{"message_id": f"m-{number}", **other}))

    assert await ledger.possible_carrier_ids(lost, ["c-1", "c-2"]) == possible


async def test_those_whose_fate_is_unknown_are_counted(ledger):
    for number, status in enumerate([Status.UNKNOWN, Status.SUBMITTED, Status.UNKNOWN, Status.FAILED]):
        await ledger.accept(fresh(message_id=f"m-{number}", status=status))

    assert await ledger.count_unknown() == 2


async def test_tenants_that_had_a_queue_are_remembered_once(ledger):
    await ledger.remember_tenants({"acme", "beta"})
    await ledger.remember_tenants({"acme"})
    await ledger.remember_tenants(())

    assert sorted(await ledger.tenants()) == ["acme", "beta"]


async def test_a_ledger_may_be_prepared_again_and_is_in_order(ledger):
    await ledger.prepare()
    await ledger.prepare()
    await ledger.set_clock()

    assert await ledger.check() is None


async def test_one_record_is_shown_to_its_own_tenant(ledger):
    await submitted(ledger)

    mine = await history_of(ledger).read("acme", "m-1")

    assert mine is not None
    assert mine["delivery"] == "SENT"
    assert await history_of(ledger).read("other", "m-1") is None


async def test_bulk_lanes_are_remembered_once(ledger):
    await ledger.remember_bulk_lane("cfg")
    await ledger.remember_bulk_lane("cfg")

    assert await ledger.bulk_lanes() == ["cfg"]


async def test_the_pbxs_of_a_tenant_are_remembered_for_ever_and_only_of_those_of_whom_they_were_noted(ledger):
    await ledger.remember_tenants(["acme", "older"])
    await ledger.remember_pbxs({"acme": ["main"], "beta": {"west", "main"}})
    await ledger.remember_pbxs({"acme": ["west", "main"]})
    await ledger.remember_pbxs({})

    assert await ledger.pbxs() == {"acme": {"main", "west"}, "beta": {"west", "main"}}
    assert sorted(await ledger.tenants()) == ["acme", "beta", "older"]


async def test_history_is_paged_filtered_and_never_shows_another_tenants(ledger):
    start = now()
    for n in range(5):
        await ledger.accept(replace(fresh(message_id=f"m-{n}"), created_at=start + timedelta(seconds=n)))
    await ledger.accept(fresh(message_id="in", kind=EntryKind.INBOUND, status=Status.DELIVERED, sender=OTHER))
    await ledger.accept(fresh(message_id="parent", kind=EntryKind.PARENT))
    await ledger.accept(fresh(tenant_id="other", message_id="theirs"))

    async def ids(**filters):
        count, items, _ = await history_of(ledger).page(MessageQuery("acme", **filters))
        return count, [item["id"] for item in items]

    assert await ids(direction="OUT", skip=1, top=2) == (5, ["m-3", "m-2"])
    assert await ids(direction="OUT", descending=False, top=1) == (5, ["m-0"])
    assert await ids(number=OTHER) == (1, ["in"])
    assert await ids(search="m-4") == (1, ["m-4"])
    assert await ids(status="rejected") == (0, [])
    assert (await ids(direction="OUT", since=start + timedelta(seconds=3)))[0] == 2
    assert (await ids(direction="OUT", until=start + timedelta(seconds=3)))[0] == 3
    assert (await ids(config_id="nope"))[0] == 0


async def test_beyond_some_thousands_it_is_only_told_how_many_there_are_at_least(mongo_ledger, monkeypatch):
    monkeypatch.setattr("sms_dispatcher.ledger.history.COUNT_UP_TO", 3)
    start = now()
    ended = [Status.FAILED, *[Status.SUBMITTED] * 4]
    for n, status in enumerate(ended):
        await mongo_ledger.accept(replace(fresh(message_id=f"m-{n}", status=status), created_at=start))

    async def counted(**filters):
        count, items, more = await history_of(mongo_ledger).page(MessageQuery("acme", **filters))
        return count, len(items), more

    assert await counted(top=2) == (3, 2, True)
    assert await counted(top=2, skip=2) == (5, 2, True)
    assert await counted(top=2, skip=4) == (5, 1, True)
    assert await counted(top=9) == (5, 5, False)
    assert await counted(top=1, status="failed") == (1, 1, False)
    assert await counted(top=1, status="rejected") == (0, 0, False)


async def test_one_record_has_its_timeline_and_portsips_words(mongo_ledger):
    await submitted(mongo_ledger)
    await mongo_ledger.apply(matched(Status.DELIVERED))

    found = await history_of(mongo_ledger).read("acme", "m-1")
    assert found is not None

    assert (found["delivery"], found["direction"], found["content"]) == ("DELIVERED", "OUT", "Hello")
    assert [item["status"] for item in found["history"]] == ["accepted", "submitted", "delivered"]
    assert await history_of(mongo_ledger).read("other", "m-1") is None


async def test_every_index_exists_and_making_them_again_is_no_harm(mongo_ledger, database):
    await mongo_ledger.prepare()

    names = {name async for name in _index_names(mongo_ledger)}
    assert {index.document["name"] for index in INDEXES} <= names


async def _index_names(ledger: Ledger) -> AsyncIterator[str]:
    async for index in ledger._messages.list_indexes():
        yield index["name"]


async def test_no_question_asked_every_second_or_for_every_receipt_reads_more_than_it_finds(mongo_ledger):
    moment = now()
    entries = [fresh(message_id=f"m-{n}", due_at=moment + timedelta(hours=1)) for n in range(300)]
    due = fresh(message_id="due", due_at=moment - timedelta(hours=1), status=Status.UNKNOWN)
    sent = fresh(message_id="sent", provider_msg_id="carrier-1", status=Status.SUBMITTED)
    child = fresh(message_id="sent.1", parent_id="sent")
    await asyncio.gather(*(mongo_ledger.accept(entry) for entry in (*entries, due, sent, child)))
    asked = Profile(mongo_ledger)

    async with asked:
        assert [entry.message_id for entry in await mongo_ledger.take_due(10)] == ["due"]
        assert await mongo_ledger.count_unknown() == 1
        assert (await mongo_ledger.apply(matched(Status.DELIVERED, reference=None))).happened
        assert (await history_of(mongo_ledger).page(MessageQuery("acme", search="sent")))[0] == 2
        assert (await history_of(mongo_ledger).page(MessageQuery("acme", number=OTHER)))[0] == 0

    assert max(await asked.documents_read()) <= 2


async def test_a_long_timeline_keeps_its_newest_lines(mongo_ledger):
    await mongo_ledger.accept(fresh())
    entry = await mongo_ledger.find("acme", "m-1")
    for _ in range(150):
        after = replace(entry, status=Status.QUEUED, sequence=entry.sequence + 1)
        assert await mongo_ledger.change(entry, after)
        entry = after

    found = await history_of(mongo_ledger).read("acme", "m-1")
    assert found is not None
    history = found["history"]
    assert (len(history), history[-1]["sequence"]) == (100, 151)


async def test_a_store_that_is_away_is_unavailable_and_says_so():
    async with open_database("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50", "x") as messages:
        ledger = Ledger(messages, owner="tests", retention=RETENTION)
        found, trouble = await asyncio.gather(ledger.find("acme", "m-1"), ledger.check(), return_exceptions=True)

    assert isinstance(found, Unavailable)
    assert (found.code, trouble) == (
        Code.STORE_UNAVAILABLE,
        "MongoDB did not take ping: nothing listens there (ServerSelectionTimeoutError).",
    )


async def test_an_entry_that_the_store_can_never_take_fails_alone(mongo_ledger):
    validator = {"$jsonSchema": {"properties": {"text": {"maxLength": 3}}}}
    await mongo_ledger._messages.database.command("collMod", "messages", validator=validator)

    results = await asyncio.gather(
        mongo_ledger.accept(fresh(text="too long")),
        mongo_ledger.accept(fresh(message_id="m-2", text="ok")),
        return_exceptions=True,
    )

    assert isinstance(results[0], UnreadableEvent)
    assert (results[0].code, results[1]) == (Code.INVALID_REQUEST, None)


async def test_a_thousand_messages_share_their_writes(mongo_ledger):
    entries = [fresh(message_id=f"m-{n}") for n in range(1000)]

    assert set(await asyncio.gather(*(mongo_ledger.accept(item) for item in entries))) == {None}
    claims = await asyncio.gather(*(mongo_ledger.claim(item.id, f"c-{item.id}") for item in entries))
    assert all(claim.claim_id == f"c-{claim.id}" for claim in claims)


@pytest.mark.parametrize("wrong_by", [timedelta(hours=25), timedelta(hours=-25)], ids=["ahead", "behind"])
async def test_a_host_whose_clock_is_wrong_takes_as_due_what_is_due_by_the_databases(database, wrong_by):
    clock = DatabaseClock(wall=lambda: now() + wrong_by)
    async with open_database(database.url, database.name) as messages:
        ledger = Ledger(messages, owner="tests", retention=RETENTION, clock=clock)
        await ledger.set_clock()
        await ledger.accept(fresh(message_id="later", due_at=now() + timedelta(hours=1)))
        await ledger.accept(fresh(message_id="now", due_at=now() - timedelta(seconds=1)))

        assert [due.message_id for due in await ledger.take_due(10)] == ["now"]
        assert abs(clock() - now()) < timedelta(seconds=5)


async def test_it_knows_which_numbers_somebody_wrote_to_the_latest_first(ledger):
    moment = now()
    for number, (tenant_id, sender, did) in enumerate(
        [
            ("acme", HANDSET, "+12025550143"),
            ("acme", HANDSET, "+12025550144"),
            ("acme", OTHER, "+12025550145"),
            ("other", HANDSET, "+13035550100"),
            ("acme", HANDSET, "+12025550143"),
        ]
    ):
        text = fresh(tenant_id=tenant_id, message_id=f"in-{number}", kind=EntryKind.INBOUND, sender=sender, to=(did,))
        await ledger.accept(replace(text, created_at=moment + timedelta(seconds=number)))
    await ledger.accept(fresh(message_id="out", sender=HANDSET, to=("+12025550149",)))

    asked = [("acme", HANDSET), ("acme", OTHER), ("other", HANDSET), ("other", OTHER)]
    assert await asyncio.gather(*(ledger.written_to(*one) for one in asked)) == [
        ("+12025550143", "+12025550144"),
        ("+12025550145",),
        ("+13035550100",),
        (),
    ]


async def test_it_knows_the_number_of_ours_by_a_conversations_id_and_who_wrote_in_it(ledger):
    moment = now()
    for number, (sender, did, conversation) in enumerate(
        [(HANDSET, "+12025550143", "c"), (HANDSET, "+12025550144", "c"), (HANDSET, "+12025550145", "d")]
    ):
        text = fresh(message_id=f"in-{number}", kind=EntryKind.INBOUND, sender=sender, to=(did,))
        text = replace(text, created_at=moment + timedelta(seconds=number), echo=Echo(conversation_id=conversation))
        await ledger.accept(text)
    await ledger.accept(fresh(message_id="out", sender=HANDSET, echo=Echo(conversation_id="e")))

    asked = [("acme", "c"), ("acme", "d"), ("acme", "e"), ("acme", "x"), ("other", "c")]
    assert [await ledger.did_of(tenant, [OTHER, HANDSET], conversation) for tenant, conversation in asked] == [
        "+12025550144",
        "+12025550145",
        None,
        None,
        None,
    ]
    assert await ledger.did_of("acme", [OTHER], "c") is None


async def test_a_conversation_is_found_without_reading_any_message(mongo_ledger):
    for number in range(20):
        await mongo_ledger.accept(fresh(message_id=f"in-{number}", kind=EntryKind.INBOUND, sender=HANDSET, to=("+1",)))
    profile = Profile(mongo_ledger)

    async with profile:
        await mongo_ledger.written_to("acme", HANDSET)

    assert set(await profile.documents_read()) == {0}


async def test_a_move_to_another_route_is_recorded_whole(ledger):
    first = fresh(next_routes=(SendRoute("backup", "other", "+16175550101", ("+71",)),), rule_id="r1")
    await ledger.accept(first)
    after = replace(
        first,
        sequence=2,
        status_sequence=2,
        config_id="backup",
        carrier="other",
        sender="+16175550101",
        dialled=("+71",),
        next_routes=(),
        moves=1,
    )

    assert await ledger.change(first, after)
    assert await ledger.find("acme", "m-1") == after
    assert (await history_of(ledger).page(MessageQuery("acme", number="+16175550101")))[0] == 1
