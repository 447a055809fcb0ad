"""A MongoDB that refuses: the address, by a sentence that says what to mend; one value, and none of those beside it."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from sms_common.errors import Unavailable, UnreadableEvent
from sms_config.storage.store import MongoStore
from sms_dispatcher.ledger.database import open_database
from sms_dispatcher.ledger.ledger import Ledger
from tests.dispatcher.builders import entry
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
