"""A MongoDB that refuses: the address, by a sentence that says what to mend; one value, and none of those beside it."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from sms_common.errors import Unavailable, UnreadableEvent
from sms_common.messages import Status
from sms_config.storage.store import MongoStore
from sms_dispatcher.ledger.database import open_database
from sms_dispatcher.ledger.entries import EntryKind, LedgerEntry, Receipt, Recipient
from sms_dispatcher.ledger.ledger import Ledger, LedgerChange, MatchedReceipt
from tests.dispatcher.builders import HANDSET, NOW, entry
from tests.stack import Database

pytestmark = pytest.mark.integration

CASE = json.loads((Path(__file__).parent.parent / "data/cases/56-mongo-url.json").read_text())
RETENTION = timedelta(days=90)


def elsewhere(url: str, **changes: str) -> str:
    """The same server, asked for otherwise."""
    host = url.partition("://")[2].rpartition("@")[2].partition("/")[0]
    account = changes.pop("account", "")
    return f"mongodb://{account}{host}/?" + "&".join(f"{name}={value}" for name, value in changes.items())


REFUSED = [
    ({"replicaSet": "wrong"}, "another replica set name"),
    ({"account": "root:canary@", "authSource": "sms"}, "log-in refused (authSource?)"),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED)
async def test_the_dispatcher_says_what_is_wrong_with_the_address(database: Database, changes, said):
    assert CASE["input"][7]["CONFIG_MONGO_URL"].endswith("replicaSet=wrong")
    async with open_database(elsewhere(database.url, **changes), database.name) as messages:
        reason = await Ledger(messages, owner="tests", retention=RETENTION).check()

    assert reason is not None
    assert said in reason
    assert "canary" not in reason


@pytest.mark.parametrize(("changes", "said"), REFUSED)
async def test_config_waits_and_says_what_is_wrong_with_the_address(database: Database, changes, said):
    async with MongoStore(SecretStr(elsewhere(database.url, **changes)), database.name) as store:
        with pytest.raises(Unavailable) as raised:
            await store.prepare()

    assert said in raised.value.reason
    assert "canary" not in raised.value.reason


async def test_config_waits_for_a_name_that_the_dns_does_not_know():
    async with MongoStore(SecretStr(CASE["input"][6]["CONFIG_MONGO_URL"]), "sms") as store:
        with pytest.raises(Unavailable):
            await store.prepare()


async def test_one_entry_that_can_never_be_stored_fails_alone_and_those_beside_it_are_new(database: Database):
    async with open_database(database.url, database.name) as messages:
        ledger = Ledger(messages, owner="tests", retention=RETENTION)
        await ledger.prepare()
        await messages.command("collMod", "messages", validator={"message_id": {"$ne": "bad"}})
        await ledger.accept(entry(message_id="known"))

        made = [entry(message_id=name) for name in ("m-1", "bad", "known", "m-2")]
        first, bad, known, last = await asyncio.gather(*map(ledger.accept, made), return_exceptions=True)

        assert (first, last) == (None, None)
        assert isinstance(bad, UnreadableEvent)
        assert getattr(known, "message_id", None) == "known"
        assert await ledger.find("acme", "m-2") is not None


async def test_one_change_that_can_never_be_stored_fails_alone(database: Database):
    async with open_database(database.url, database.name) as messages:
        ledger = Ledger(messages, owner="tests", retention=RETENTION)
        await ledger.prepare()
        kept = [entry(message_id=name) for name in ("m-1", "m-2", "m-3")]
        await asyncio.gather(*map(ledger.accept, kept))
        await messages.command("collMod", "messages", validator={"reason": {"$ne": "bad"}})

        reasons = ("good", "bad", "good")
        after = [replace(one, reason=why, sequence=one.sequence + 1) for one, why in zip(kept, reasons, strict=True)]
        done = await asyncio.gather(*map(ledger.change, kept, after), return_exceptions=True)

        assert [done[0], done[2]] == [True, True]
        assert isinstance(done[1], UnreadableEvent)


NUMBER = "\ud800"  # half a character, which no document can hold


def bad_after(one: LedgerEntry, status: Status) -> LedgerEntry:
    why = "bad" if one.message_id == "bad" else "good"
    return replace(one, status=status, reason=why, sequence=one.sequence + 1)


async def accepting(ledger: Ledger, one: LedgerEntry) -> object:
    return await ledger.accept(one)


async def claiming(ledger: Ledger, one: LedgerEntry) -> object:
    claimed = await ledger.claim(one.id, f"claim-{one.message_id}")
    assert claimed is not None
    return claimed.status is Status.SUBMITTING and claimed.claim_id == f"claim-{one.message_id}"


async def changing(ledger: Ledger, one: LedgerEntry) -> object:
    return await ledger.change(one, bad_after(one, Status.QUEUED))


async def finishing(ledger: Ledger, one: LedgerEntry) -> object:
    return await ledger.finish(one, bad_after(one, Status.QUEUED), f"change-{one.message_id}")


async def receiving(ledger: Ledger, one: LedgerEntry) -> object:
    why = "bad" if one.message_id == "bad" else "good"
    receipt = Receipt(HANDSET, Status.DELIVERED, NOW, "carrier-1", NOW, reason=why)
    change = await ledger.apply(MatchedReceipt(receipt, one.id, lambda _: True))
    return change is not None and change.happened


async def recalling(ledger: Ledger, one: LedgerEntry) -> object:
    return await ledger.written_to("acme", NUMBER if one.message_id == "bad" else HANDSET)


@pytest.mark.parametrize(
    ("operation", "refuse", "good"),
    [
        pytest.param(accepting, {"message_id": {"$ne": "bad"}}, None, id="accept"),
        pytest.param(claiming, {"message_id": {"$ne": "bad"}}, True, id="claim"),
        pytest.param(changing, {"reason": {"$ne": "bad"}}, True, id="change"),
        pytest.param(finishing, {"reason": {"$ne": "bad"}}, True, id="finish"),
        pytest.param(receiving, {"reason": {"$ne": "bad"}}, True, id="receipt"),
        pytest.param(recalling, {}, (), id="recall"),
    ],
)
async def test_in_each_batch_the_good_are_recorded_and_the_bad_one_fails_by_itself(
    database: Database, operation, refuse, good
):
    """Each operation is done once for its caller: it does not see that the batch was refused."""
    async with open_database(database.url, database.name) as messages:
        ledger = Ledger(messages, owner="tests", retention=RETENTION)
        await ledger.prepare()
        batch = [entry(message_id=name, claim_id=None) for name in ("m-1", "bad", "m-2", "m-3")]
        if operation is not accepting:
            await asyncio.gather(*map(ledger.accept, batch))
        await messages.command("collMod", "messages", validator=refuse)

        async with asyncio.timeout(20):
            done = await asyncio.gather(*(operation(ledger, one) for one in batch), return_exceptions=True)

        assert [one for n, one in enumerate(done) if n != 1] == [good] * 3
        assert isinstance(done[1], UnreadableEvent)
        changed = await ledger.find("acme", "m-3")
        assert changed is not None
        assert (changed.reason == "good") is (operation in {changing, finishing, receiving})


OTHER = "+13125550132"
NOWHERE_BAD = {"recipients": {"$not": {"$elemMatch": {"$elemMatch": {"$eq": "bad"}}}}}


@pytest.mark.parametrize("bad", [0, 1], ids=["the first is bad", "the second is bad"])
async def test_of_two_receipts_of_one_group_the_good_one_is_recorded(database: Database, bad):
    """They share a write, and nobody can say which of them MongoDB refused."""
    members = (Recipient(HANDSET, "m-1.1", Status.ACCEPTED), Recipient(OTHER, "m-1.2", Status.ACCEPTED))
    async with open_database(database.url, database.name) as messages:
        ledger = Ledger(messages, owner="tests", retention=RETENTION)
        await ledger.prepare()
        await ledger.accept(entry(kind=EntryKind.GROUP, to=(HANDSET, OTHER), recipients=members))
        await ledger.accept(entry(message_id="beside"))
        await messages.command("collMod", "messages", validator=NOWHERE_BAD)

        told = [(HANDSET, "m-1"), (OTHER, "m-1"), (HANDSET, "beside")]
        receipts = [
            Receipt(to, Status.DELIVERED, NOW, "carrier-1", NOW, reason="bad" if n == bad else "good")
            for n, (to, _) in enumerate(told)
        ]
        matched = [
            MatchedReceipt(one, f"acme/{id_}", lambda _: True) for one, (_, id_) in zip(receipts, told, strict=True)
        ]
        async with asyncio.timeout(20):
            done = await asyncio.gather(*map(ledger.apply, matched), return_exceptions=True)

        assert isinstance(done.pop(bad), UnreadableEvent)
        assert [isinstance(one, LedgerChange) and one.happened for one in done] == [True, True]
        found = await ledger.find("acme", "m-1")
        assert found is not None
        assert [one.status is Status.DELIVERED for one in found.recipients] == [bad == 1, bad == 0]


async def test_of_two_receipts_of_one_message_the_good_one_is_recorded(database: Database):
    async with open_database(database.url, database.name) as messages:
        ledger = Ledger(messages, owner="tests", retention=RETENTION)
        await ledger.prepare()
        await ledger.accept(entry())
        await messages.command("collMod", "messages", validator={"reason": {"$ne": "bad"}})

        told = [(Status.SENT, "good"), (Status.DELIVERED, "bad")]
        receipts = [Receipt(HANDSET, status, NOW, "carrier-1", NOW, reason=why) for status, why in told]
        matched = [MatchedReceipt(one, "acme/m-1", lambda _: True) for one in receipts]
        async with asyncio.timeout(20):
            good, bad = await asyncio.gather(*map(ledger.apply, matched), return_exceptions=True)

        assert isinstance(good, LedgerChange)
        assert good.happened
        assert isinstance(bad, UnreadableEvent)
        found = await ledger.find("acme", "m-1")
        assert found is not None
        assert (found.status, found.reason) == (Status.SENT, "good")
