"""Two processes that change one installation at once, on one MongoDB: each decides on what the other has written."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from sms_config.access.auth import Caller, Scope
from sms_config.model.problems import InUse, Invalid
from sms_config.model.query import Query
from sms_config.model.records import ApiKeyRecord, TenantRecord, UserRecord, now_utc
from sms_config.resources.api_keys import ApiKeys
from sms_config.resources.changes import Changes
from sms_config.resources.first_administrator import FirstAdministrator
from sms_config.resources.sessions import Sessions
from sms_config.resources.tenants import Tenants
from sms_config.resources.users import Users
from sms_config.storage.store import MongoStore
from sms_config.storage.store_protocol import EVERYONE, T, Transaction
from tests.config.people import tenant_admin
from tests.config.store_contract import StoreContract, tenant
from tests.config.world import PASSWORD, quick_passwords
from tests.stack import Database

pytestmark = pytest.mark.integration

ADMIN = Caller("bootstrap", "bootstrap", frozenset({Scope.ADMIN}), EVERYONE)
WRITES = {"insert", "replace", "remove", "next_version", "lock"}


class Waiting:
    """A transaction that begins to write when the other process, too, has read all that it decides on."""

    def __init__(self, transaction: Transaction, both: asyncio.Barrier) -> None:
        self._transaction = transaction
        self._both = both
        self._writes = False

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._transaction, name)
        return self._write(act) if name in WRITES else act

    def _write(self, act: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def write(*arguments: Any) -> Any:
            if not self._writes:
                self._writes = True
                await self._both.wait()
            return await act(*arguments)

        return write


class Process:
    """One process's store. What is changed first waits for the other process; after a collision nobody waits."""

    def __init__(self, store: MongoStore, both: asyncio.Barrier) -> None:
        self._store = store
        self._both = both
        self._tries = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def transact(self, work: Callable[[Any], Awaitable[T]]) -> T:
        async def work_on(transaction: Transaction) -> T:
            self._tries += 1
            return await work(Waiting(transaction, self._both) if self._tries == 1 else transaction)

        return await self._store.transact(work_on)


@pytest.fixture
async def processes(database: Database) -> AsyncIterator[tuple[Any, Any]]:
    address, both = SecretStr(database.url), asyncio.Barrier(2)
    async with MongoStore(address, database.name) as first, MongoStore(address, database.name) as second:
        await first.prepare()
        await StoreContract().put(first, tenant("acme"))
        yield Process(first, both), Process(second, both)


@pytest.mark.parametrize("kind", [ApiKeyRecord, UserRecord], ids=lambda kind: kind.NOUN)
async def test_nothing_is_made_for_a_tenant_that_is_being_deleted(processes, kind):
    one, other = processes
    changes = Changes(other, lambda: None)
    key = {"name": "a key", "scopes": ["read"], "tenants": ["acme"]}
    made = {
        ApiKeyRecord: lambda: ApiKeys(other, changes).create(ADMIN, key),
        UserRecord: lambda: Users(other, changes, quick_passwords()).create(ADMIN, tenant_admin("ann", "acme")),
    }[kind]

    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(
            Tenants(one, Changes(one, lambda: None)).delete(ADMIN, "acme", version=None), made(), return_exceptions=True
        )

    (refusal,) = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert isinstance(refusal, InUse | Invalid)
    left = await one.get(TenantRecord, "acme", EVERYONE)
    assert (left is None) == ((await one.find(kind, Query(top=1), EVERYONE)).count == 0)


async def test_both_start_when_each_finds_no_user_and_has_a_password_for_the_first(processes):
    async with asyncio.timeout(20):
        await asyncio.gather(*(_first(one).prepare("admin", SecretStr(PASSWORD), pytest.fail) for one in processes))

    assert (await processes[0].find(UserRecord, Query(), EVERYONE)).count == 1


def _first(store: Any) -> FirstAdministrator:
    users = Users(store, Changes(store, lambda: None), quick_passwords())
    return FirstAdministrator(store, users, Sessions(store, now_utc), now_utc, "https://admin.example.com")
