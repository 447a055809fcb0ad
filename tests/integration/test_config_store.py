"""The store on a real MongoDB: the contract of stores, and what only a real one can do."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from sms_common.errors import Unavailable
from sms_config.model.query import Order, Query
from sms_config.model.records import SmsConfigRecord, TenantRecord
from sms_config.storage.store import MongoStore
from sms_config.storage.store_protocol import EVERYONE, StoreUnusable
from tests.config.store_contract import ALL, StoreContract, config, tenant
from tests.integration.network import Network
from tests.stack import Database

pytestmark = pytest.mark.integration


@pytest.fixture
async def store(database: Database) -> AsyncIterator[MongoStore]:
    async with MongoStore(SecretStr(database.url), database.name) as store:
        await store.prepare()
        yield store


@pytest.fixture
def raw(database: Database) -> Any:
    client: MongoClient[Any]
    with MongoClient(database.url) as client:
        yield client[database.name]


class TestMongoStore(StoreContract):
    """It meets the contract of stores."""


async def test_two_processes_that_change_at_once_both_succeed(store, database):
    """Write conflicts between processes are retried, and no advance is lost."""
    async with MongoStore(SecretStr(database.url), database.name) as other:

        async def work(transaction: Any) -> Any:
            return await transaction.next_version()

        versions = await asyncio.gather(*(one.transact(work) for _ in range(10) for one in (store, other)))

    assert len(set(versions)) == 20
    assert (await store.snapshot_version()).startswith("20-")


async def test_two_processes_never_decide_on_the_same_state(store, database):
    async def work(transaction: Any, name: str) -> bool:
        if (await transaction.find(TenantRecord, ALL, EVERYONE)).count:
            return False
        await transaction.insert(tenant(name))
        await transaction.next_version()
        return True

    async with MongoStore(SecretStr(database.url), database.name) as other:
        stores = (store, other, store, other)
        added = await asyncio.gather(*(one.transact(lambda tx, n=n: work(tx, f"t{n}")) for n, one in enumerate(stores)))

    assert sum(added) == 1


async def test_a_unique_index_that_cannot_be_made_stops_the_start_with_what_to_do(database, raw):
    raw["sms_configs"].insert_many([{"_id": "a", "webhook_sha256": "x"}, {"_id": "b", "webhook_sha256": "x"}])

    async with MongoStore(SecretStr(database.url), database.name) as store:
        with pytest.raises(
            StoreUnusable, match=r"index one_webhook of the collection sms_configs .* Remove the duplicates and start"
        ):
            await store.prepare()


@pytest.mark.parametrize(
    "index", [{"keys": "other", "unique": True}, {"keys": "prefix", "unique": False}], ids=["fields", "options"]
)
async def test_an_index_of_another_form_stops_the_start(database, raw, index):
    raw["api_keys"].create_index(index["keys"], name="one_prefix", unique=index["unique"])

    async with MongoStore(SecretStr(database.url), database.name) as store:
        with pytest.raises(StoreUnusable, match=r"index one_prefix of the collection api_keys .* Drop that index"):
            await store.prepare()


async def test_documents_of_a_newer_version_stop_the_start(store, raw):
    raw["trunks"].insert_one({"_id": "t", "schema": 2})

    with pytest.raises(StoreUnusable, match="collection trunks holds documents of a newer version"):
        await store.prepare()


async def test_every_document_names_its_schema(store, raw):
    await StoreContract().put(store, tenant("acme"), config("c1"))

    assert {document["schema"] for name in ("tenants", "sms_configs") for document in raw[name].find()} == {1}


async def test_the_indexes_are_there(store, raw):
    names = {f"{name}.{index}" for name in raw.list_collection_names() for index in raw[name].index_information()}

    assert {"sms_configs.one_webhook", "api_keys.one_prefix", "audit.by_object", "retired_configs.expiry"} <= names


async def test_a_restored_database_never_repeats_a_version(store, raw):
    first = await store.transact(lambda transaction: transaction.next_version())
    raw["meta"].update_one({"_id": "snapshot"}, {"$inc": {"number": -1}})

    assert await store.transact(lambda transaction: transaction.next_version()) != first


async def test_without_mongodb_every_call_says_so_within_seconds():
    async with MongoStore(
        SecretStr("mongodb://127.0.0.1:1/?replicaSet=rs0&serverSelectionTimeoutMS=200"), "x"
    ) as store:
        with pytest.raises(Unavailable) as raised:
            async with asyncio.timeout(10):
                await store.get(SmsConfigRecord, "x", EVERYONE)

    assert raised.value.code == "store_unavailable"


@pytest.fixture
async def faulty(database: Database, raw: Any) -> AsyncIterator[Any]:
    """A store, and a way to cut its connections to MongoDB."""
    async with Network(database.url) as network:
        url = network.url.replace("amqp://", "mongodb://").replace("//@", "//") + "?directConnection=true"
        async with MongoStore(SecretStr(url), database.name) as store:
            await store.prepare()
            yield store, network


async def test_a_connection_cut_in_the_midst_of_a_change_leaves_one_whole_change(faulty):
    store, network = faulty
    tries = 0

    async def work(transaction: Any) -> None:
        nonlocal tries
        tries += 1
        await transaction.insert(tenant(f"t{tries}"))
        if tries == 1:
            network.freeze()
        await transaction.insert(tenant("u"))

    changing = asyncio.create_task(store.transact(work))
    await network.stalled.wait()
    network.thaw()
    network.cut()
    await changing

    found = await store.find(TenantRecord, Query(order=(Order("id"),), top=None), EVERYONE)
    assert [record.id for record in found.items] == [f"t{tries}", "u"]


async def test_a_commit_whose_answer_is_lost_is_made_once(faulty):
    """The answer is held back and the connection cut: asking again finds that the change was made."""
    store, network = faulty

    async def work(transaction: Any) -> None:
        await transaction.insert(tenant("once"))
        await transaction.next_version()
        network.freeze()

    changing = asyncio.create_task(store.transact(work))
    await network.stalled.wait()
    network.thaw()
    network.cut()
    await changing

    assert (await store.find(TenantRecord, ALL, EVERYONE)).count == 1
    assert (await store.snapshot_version()).startswith("1-")


async def test_a_frozen_network_ends_in_unavailable_within_the_time_limit(faulty):
    store, network = faulty
    network.freeze()

    with pytest.raises(Unavailable):
        async with asyncio.timeout(12):
            await store.get(TenantRecord, "acme", EVERYONE)


async def test_closing_does_not_wait_for_a_network_that_is_frozen(faulty):
    store, network = faulty
    await store.transact(lambda transaction: transaction.next_version())
    network.freeze()

    async with asyncio.timeout(10):
        await store.__aexit__(None, None, None)


async def test_changes_do_not_wait_for_ever_behind_one_that_hangs(database):
    store = MongoStore(SecretStr(database.url), database.name, patience=0.2)
    hanging, entered = asyncio.Event(), asyncio.Event()

    async def hang(_: Any) -> None:
        entered.set()
        await hanging.wait()

    first = asyncio.create_task(store.transact(hang))
    await entered.wait()
    with pytest.raises(Unavailable, match="waiting for MongoDB"):
        await store.transact(lambda transaction: transaction.next_version())
    hanging.set()
    await first
    await store.__aexit__(None, None, None)


async def test_a_user_that_mongodb_does_not_know_yet_is_waited_for(database):
    host = database.url.rpartition("@")[2]
    async with MongoStore(SecretStr(f"mongodb://nobody:wrong@{host}"), database.name) as store:
        with pytest.raises(Unavailable):
            await store.prepare()


@pytest.mark.parametrize(
    ("hello", "raised", "sentence"),
    [
        ({"isreplicaset": True}, Unavailable, "has not been initiated yet"),
        ({"isWritablePrimary": True}, StoreUnusable, "does not run as a replica set"),
    ],
    ids=["not initiated", "standalone"],
)
async def test_a_mongodb_without_a_replica_set_is_told_apart_from_one_that_has_none_yet(
    store, monkeypatch, hello, raised, sentence
):
    async def answer(*_: Any) -> Any:
        return hello

    monkeypatch.setattr(store._database, "command", answer, raising=False)

    with pytest.raises(raised, match=sentence):
        await store.prepare()


async def test_a_mistake_of_ours_is_not_taken_for_an_outage(store):
    with pytest.raises(OperationFailure):
        await store.find(TenantRecord, Query(order=(Order("$name"),)), EVERYONE)


async def test_a_server_that_refuses_to_make_an_index_is_not_taken_for_a_conflict(store, raw):
    raw.create_collection("view_source")
    raw["trunks"].drop()
    raw.command("create", "trunks", viewOn="view_source", pipeline=[])

    with pytest.raises(OperationFailure):
        await store.prepare()
