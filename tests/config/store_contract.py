"""What every store must do. The store in memory and the one on MongoDB run the same tests."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sms_common.events import SeenWebhook
from sms_config.model.query import Clause, Order, Query
from sms_config.model.records import (
    ACCOUNT_PROOF,
    Announcement,
    ApiKeyRecord,
    AuditRecord,
    RetiredConfig,
    SmsConfigRecord,
    StoredSecret,
    TenantRecord,
    Ticket,
    TrunkRecord,
    UserRecord,
)
from sms_config.model.rule_records import ExtensionRecord, InboundRuleRecord, OutboundRuleRecord
from sms_config.storage.store_protocol import EVERYONE, Duplicate, Missing, Store

START = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
# The database removes what is over; this is not, however late the tests run.
NEXT_YEAR = datetime(2126, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
ACME = frozenset({"acme"})
BOTH = frozenset({"acme", "globex"})
ALL = Query(top=None)


def stamps(minute: int = 0) -> dict[str, Any]:
    at = START + timedelta(minutes=minute)
    return {"created_at": at, "created_by": "me", "updated_at": at, "updated_by": "me"}


def tenant(tenant_id: str, minute: int = 0, **values: Any) -> TenantRecord:
    return TenantRecord(**{"id": tenant_id, "name": tenant_id.title(), "country": "US", **stamps(minute), **values})


def trunk(trunk_id: str, tenant_id: str | None = "acme", minute: int = 0, **values: Any) -> TrunkRecord:
    given = {"name": trunk_id, "brand": "Bandwidth", "carrier": "bandwidth", **stamps(minute), **values}
    return TrunkRecord(**{"id": trunk_id, "tenant_id": tenant_id, **given})


def config(config_id: str, tenant_id: str = "acme", minute: int = 0, **values: Any) -> SmsConfigRecord:
    secret = StoredSecret(key_id="k1", data=b"\x00\xff sealed", changed_at=START, last4="4567")
    given = {
        "webhook_sha256": f"hash of {config_id}",
        "secrets": {"credentials.api_secret": secret},
        **stamps(minute),
        **values,
    }
    return SmsConfigRecord(**{"id": config_id, "tenant_id": tenant_id, "provider_id": "t", "name": config_id, **given})


def key(key_id: str, tenants: tuple[str, ...] | None, **values: Any) -> ApiKeyRecord:
    given = {
        "prefix": f"prefix-{key_id}",
        "sha256": "hash",
        "scopes": ("read",),
        "tenants": tenants,
        **stamps(),
        **values,
    }
    return ApiKeyRecord(**{"id": key_id, "name": key_id, **given})


def inbound_rule(rule_id: str, tenant_id: str = "acme", minute: int = 0, **values: Any) -> InboundRuleRecord:
    given = {
        "name": rule_id,
        "enabled": True,
        "priority": 1000,
        "channels": ("SMS",),
        "config_ids": ("c",),
        "did_numbers": "+12015550100",
        "caller_mask": "",
        "office": {"kind": "extension", "destination": "101"},
        "outside": None,
        "holiday": None,
        "own_hours": None,
        **stamps(minute),
        **values,
    }
    return InboundRuleRecord(**{"id": rule_id, "tenant_id": tenant_id, **given})


def outbound_rule(rule_id: str, tenant_id: str = "acme", minute: int = 0, **values: Any) -> OutboundRuleRecord:
    given = {
        "name": rule_id,
        "enabled": True,
        "priority": 1000,
        "prefixes": "44",
        "lengths": (),
        "extensions": "",
        "groups": (),
        "categories": (),
        "own_hours": None,
        "closed": None,
        "strategy": "RANDOMLY",
        "routes": ({"config_id": "c", "weight": 3},),
        **stamps(minute),
        **values,
    }
    return OutboundRuleRecord(**{"id": rule_id, "tenant_id": tenant_id, **given})


def extension(record_id: str, tenant_id: str = "acme", minute: int = 0, **values: Any) -> ExtensionRecord:
    given = {"extension": "101", "permission": "ALLOW", "caller_ids": (), "groups": (), **stamps(minute), **values}
    return ExtensionRecord(**{"id": record_id, "tenant_id": tenant_id, **given})


def user(user_id: str, tenant_id: str | None = None, **values: Any) -> UserRecord:
    given = {
        "name": user_id,
        "name_key": user_id,
        "password_hash": "hash",
        "password_changed_at": START,
        "role": "system_admin" if tenant_id is None else "tenant_admin",
        "tenant_id": tenant_id,
        **stamps(),
        **values,
    }
    return UserRecord(**{"id": user_id, **given})


def ticket(ticket_id: str, **values: Any) -> Ticket:
    given = {"purpose": "session", "created_at": START, "expires_at": NEXT_YEAR, "user_id": "u", "generation": 3}
    return Ticket(**{"id": ticket_id, **given, **values})


def audit(audit_id: str, tenant_id: str | None, version: int = 1) -> AuditRecord:
    return AuditRecord(
        id=audit_id,
        at=START,
        actor="me",
        actor_name="me",
        request_id="r",
        tenant_id=tenant_id,
        kind="tenants",
        object_id="x",
        action="updated",
        version=version,
        changes=("name", "credentials.api_secret"),
        before={"name": "a", "secrets_set": {"credentials.api_secret": "then"}},
        after=None,
    )


class StoreContract:
    """Subclasses give the fixture `store`, prepared and empty."""

    async def put(self, store: Store, *records: Any) -> None:
        async def work(transaction: Any) -> None:
            for record in records:
                await transaction.insert(record)

        await store.transact(work)

    @pytest.mark.parametrize(
        "record",
        [
            tenant("acme", time_zone="Europe/London", default_config_id="c"),
            tenant("timed", hours={"monday": [{"opens": "09:00", "closes": "17:30"}]}, holidays=("2026-12-25",)),
            inbound_rule(
                "i1", own_hours={"sunday": [{"opens": "10:00", "closes": "00:00"}]}, outside={"kind": "queue"}
            ),
            outbound_rule("o1", lengths=(11,), groups=("a",), categories=("otp",), closed="hold"),
            extension("e1", caller_ids=({"number": "+12015550100", "trunk_id": "t"},), groups=("a",)),
            trunk("lent", None, pools=({"tenant_id": "acme", "dids": "+12015550100", "default_did": None},)),
            trunk("t1", hostname="h", dids="+12015550100-+12015550199", default_did="+12015550100"),
            config("c1", sender_id="SHOP", failure_policy="fail", callback_username="u"),
            key("k1", ("acme", "globex"), expires_at=START),
            key("k2", None),
            user("u1"),
            user("u2", "acme", disabled=True, generation=4, last_login_at=START),
            audit("a1", "acme"),
        ],
        ids=lambda record: record.id,
    )
    async def test_a_record_comes_back_as_it_was_put(self, store, record):
        await self.put(store, record)

        assert await store.get(type(record), record.id, EVERYONE) == record
        assert (await store.find(type(record), ALL_BY_ID, EVERYONE)).items == (record,)

    async def test_a_record_that_is_not_there_is_none(self, store):
        assert await store.get(TenantRecord, "nobody", EVERYONE) is None

    async def test_replacing_and_removing(self, store):
        await self.put(store, tenant("acme"))
        changed = tenant("acme").changed(START + timedelta(days=1), "you", name="New")

        async def replace(transaction: Any) -> None:
            await transaction.replace(tenant("acme"), changed)

        async def remove(transaction: Any) -> None:
            await transaction.remove(changed)

        await store.transact(replace)
        assert await store.get(TenantRecord, "acme", EVERYONE) == changed
        assert changed.version == 2
        await store.transact(remove)
        assert await store.get(TenantRecord, "acme", EVERYONE) is None

    @pytest.mark.parametrize(
        ("stored", "named"),
        [
            (None, tenant("acme")),
            (trunk("t1"), trunk("t1", "globex")),
            (trunk("t1"), trunk("t1", None)),
            (config("c1"), config("c1", "globex")),
            (key("k1", ("acme", "globex")), key("k1", ("acme",))),
            (key("k1", ("acme",)), key("k1", None)),
            (key("k1", None), key("k1", ())),
            (user("u1", "acme"), user("u1")),
            (inbound_rule("i1"), inbound_rule("i1", "globex")),
            (outbound_rule("o1"), outbound_rule("o1", "globex")),
            (extension("e1"), extension("e1", "globex")),
        ],
        ids=lambda record: type(record).__name__,
    )
    async def test_what_is_not_there_or_is_anothers_is_neither_replaced_nor_removed(self, store, stored, named):
        if stored is not None:
            await self.put(store, stored)

        with pytest.raises(Missing):
            await store.transact(lambda transaction: transaction.replace(named, named))
        with pytest.raises(Missing):
            await store.transact(lambda transaction: transaction.remove(named))

        assert await store.get(type(named), named.id, EVERYONE) == stored

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (user("u1", "acme"), user("u1", "globex")),
            (user("u1", "acme"), user("u1")),
            (key("k1", ("acme", "globex")), key("k1", None)),
            (key("k1", None), key("k1", ("acme",))),
            (trunk("t1", None, pools=({"tenant_id": "acme"},)), trunk("t1", None, pools=())),
        ],
        ids=lambda record: type(record).__name__,
    )
    async def test_what_is_replaced_may_become_anothers_and_is_then_removed(self, store, before, after):
        await self.put(store, before)

        await store.transact(lambda transaction: transaction.replace(before, after))
        assert await store.get(type(after), after.id, EVERYONE) == after
        await store.transact(lambda transaction: transaction.remove(after))
        assert await store.get(type(after), after.id, EVERYONE) is None

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (tenant("acme"), tenant("acme", name="Other")),
            (config("c1"), config("c2", webhook_sha256="hash of c1")),
            (key("k1", None), key("k2", None, prefix="prefix-k1")),
            (user("u1"), user("u2", name_key="u1")),
            (extension("e1"), extension("e2")),
        ],
        ids=["id", "webhook", "prefix", "user name", "extension"],
    )
    async def test_a_unique_value_is_given_once(self, store, first, second):
        await self.put(store, first)

        with pytest.raises(Duplicate):
            await self.put(store, second)
        assert (await store.find(type(first), ALL_BY_ID, EVERYONE)).items == (first,)

    async def test_records_are_seen_by_their_tenants_only(self, store):
        mine, theirs = tenant("acme"), tenant("globex")
        await self.put(store, mine, theirs, trunk("t1"), trunk("t2", "globex"), audit("a1", "acme"), audit("a2", None))

        assert (await store.find(TenantRecord, ALL, ACME)).items == (mine,)
        assert await store.get(TenantRecord, "globex", ACME) is None
        assert [t.id for t in (await store.find(TrunkRecord, ALL, ACME)).items] == ["t1"]
        assert await store.get(TrunkRecord, "t2", ACME) is None
        assert [a.id for a in (await store.find(AuditRecord, ALL_BY_ID, ACME)).items] == ["a1"]
        assert await store.get(AuditRecord, "a2", ACME) is None

    async def test_a_lent_trunk_is_seen_by_who_borrows_it(self, store):
        pools = ({"tenant_id": "acme"}, {"tenant_id": "third"})
        await self.put(store, trunk("t1", None, pools=pools), trunk("t2", None, pools=()))

        assert [t.id for t in (await store.find(TrunkRecord, ALL, ACME)).items] == ["t1"]
        assert await store.get(TrunkRecord, "t1", ACME) is not None
        assert await store.get(TrunkRecord, "t1", frozenset({"globex"})) is None
        assert (await store.find(TrunkRecord, ALL, frozenset({"globex"}))).count == 0

    async def test_one_extension_may_be_in_every_tenant(self, store):
        await self.put(store, extension("e1"), extension("e2", "globex"), extension("e3", extension="102"))

        assert (await store.find(ExtensionRecord, ALL, EVERYONE)).count == 3

    async def test_system_administrators_are_seen_by_who_sees_everything(self, store):
        await self.put(store, user("boss"), user("ann", "acme"), user("bob", "globex"))

        assert [u.id for u in (await store.find(UserRecord, ALL_BY_ID, ACME)).items] == ["ann"]
        assert [u.id for u in (await store.find(UserRecord, ALL_BY_ID, EVERYONE)).items] == ["ann", "bob", "boss"]
        assert await store.get(UserRecord, "boss", ACME) is None

    async def test_when_a_person_logged_in_is_remembered(self, store):
        await self.put(store, user("ann"))

        await store.touch_user("ann", START + timedelta(minutes=1))
        await store.touch_user("nobody", START)
        found = await store.get(UserRecord, "ann", EVERYONE)
        assert found == user("ann", last_login_at=START + timedelta(minutes=1))

    async def test_a_ticket_is_kept_extended_and_dropped(self, store):
        await store.add_ticket(ticket("a"))
        await store.add_ticket(ticket("b", purpose="set_up", user_id=None))
        later = NEXT_YEAR + timedelta(hours=1)

        assert await store.ticket("a") == ticket("a")
        await store.extend_ticket("a", later)
        await store.extend_ticket("nobody's", later)
        await store.extend_ticket("a", NEXT_YEAR)
        assert await store.ticket("a") == ticket("a", expires_at=later)
        await store.delete_ticket("a")
        await store.delete_ticket("a")
        assert await store.ticket("a") is None
        assert await store.ticket("b") == ticket("b", purpose="set_up", user_id=None)

    async def test_a_key_is_seen_by_who_sees_all_its_tenants(self, store):
        await self.put(store, key("mine", ("acme",)), key("both", ("acme", "globex")), key("all", None))

        def seen(page: Any) -> list[str]:
            return [record.id for record in page.items]

        assert seen(await store.find(ApiKeyRecord, ALL_BY_ID, ACME)) == ["mine"]
        assert seen(await store.find(ApiKeyRecord, ALL_BY_ID, BOTH)) == ["both", "mine"]
        assert seen(await store.find(ApiKeyRecord, ALL_BY_ID, EVERYONE)) == ["all", "both", "mine"]
        assert await store.get(ApiKeyRecord, "both", ACME) is None

    async def test_who_sees_no_tenant_sees_nothing(self, store):
        await self.put(store, tenant("acme"), trunk("t1"), key("k", ("acme",)))

        for kind in (TenantRecord, TrunkRecord, ApiKeyRecord):
            assert (await store.find(kind, ALL, frozenset())).count == 0

    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            (ALL, ["echo", "alpha", "delta"]),
            (Query(order=(Order("created_at", descending=True),)), ["delta", "alpha", "echo"]),
            (Query(order=(Order("country"), Order("name", descending=True))), ["delta", "echo", "alpha"]),
            (Query(order=(Order("time_zone"),)), ["alpha", "echo", "delta"]),
            (Query(order=(Order("id"),)), ["alpha", "delta", "echo"]),
            (Query(clauses=(Clause("country", "eq", ("US",)),)), ["echo", "alpha"]),
            (Query(clauses=(Clause("country", "ne", ("US",)),)), ["delta"]),
            (Query(clauses=(Clause("time_zone", "eq", (None,)),)), ["echo", "alpha"]),
            (Query(clauses=(Clause("time_zone", "ne", (None,)),)), ["delta"]),
            (Query(clauses=(Clause("time_zone", "gt", ("A",)),)), ["delta"]),
            (Query(clauses=(Clause("id", "in", ("alpha", "echo", "x")),)), ["echo", "alpha"]),
            (Query(clauses=(Clause("time_zone", "in", (None, "x")),)), ["echo", "alpha"]),
            (Query(clauses=(Clause("name", "contains", ("L",)),)), ["alpha", "delta"]),
            (Query(clauses=(Clause("name", "contains", (".",)),)), []),
            (Query(clauses=(Clause("name", "startswith", ("a",)),)), ["alpha"]),
            (Query(clauses=(Clause("time_zone", "startswith", ("e",)),)), ["delta"]),
            (Query(clauses=(Clause("created_at", "ge", (START + timedelta(minutes=1),)),)), ["alpha", "delta"]),
            (Query(clauses=(Clause("created_at", "lt", (START + timedelta(minutes=1),)),)), ["echo"]),
            (Query(clauses=(Clause("version", "gt", (1,)),)), []),
            (Query(clauses=(Clause("version", "le", (1,)), Clause("country", "eq", ("GB",)))), ["delta"]),
            (Query(search="LT", searched=("id", "name")), ["delta"]),
            (Query(search="(", searched=("name",)), []),
            (Query(search="europe", searched=("name", "time_zone")), ["delta"]),
        ],
    )
    async def test_queries_filter_search_and_order(self, store, query, ids):
        await self.put(
            store, tenant("echo"), tenant("alpha", 1), tenant("delta", 2, country="GB", time_zone="Europe/London")
        )

        page = await store.find(TenantRecord, query, EVERYONE)

        found = [record.id for record in page.items]
        assert (found, page.count) == (ids, len(ids)) if query.order != (Order("time_zone"),) else found[-1] == "delta"

    @pytest.mark.parametrize(
        ("skip", "top", "ids"),
        [
            (0, 2, ["t0", "t1"]),
            (1, 2, ["t1", "t2"]),
            (4, 2, ["t4"]),
            (5, 2, []),
            (3, None, ["t3", "t4"]),
            (0, 5, [f"t{n}" for n in range(5)]),
        ],
    )
    async def test_pages_are_cut_and_everything_is_counted(self, store, skip, top, ids):
        await self.put(store, *(trunk(f"t{n}", minute=n) for n in range(5)))

        page = await store.find(TrunkRecord, Query(skip=skip, top=top), EVERYONE)

        assert ([record.id for record in page.items], page.count) == (ids, 5)

    @pytest.mark.parametrize(
        ("skip", "top", "count", "more"),
        [(0, 2, 3, True), (1, 2, 4, True), (2, 2, 5, True), (4, 2, 5, True), (0, 9, 5, False), (0, None, 5, False)],
    )
    async def test_beyond_some_thousands_it_is_only_told_how_many_there_are_at_least(
        self, store, skip, top, count, more
    ):
        await self.put(store, *(trunk(f"t{n}", minute=n) for n in range(5)))

        page = await store.find(TrunkRecord, Query(skip=skip, top=top, count_up_to=3), EVERYONE)
        exact = await store.find(TrunkRecord, Query(skip=skip, top=top, count_up_to=5), EVERYONE)

        assert (page.count, page.more) == (count, more)
        assert (exact.count, exact.more) == (5, False)

    async def test_the_id_settles_what_is_otherwise_equal(self, store):
        await self.put(store, *(trunk(f"t{n}") for n in (3, 1, 2)))

        assert [t.id for t in (await store.find(TrunkRecord, ALL, EVERYONE)).items] == ["t1", "t2", "t3"]

    async def test_a_key_is_found_among_the_tenants_of_a_record(self, store):
        await self.put(store, key("k1", ("acme", "globex")), key("k2", None))

        page = await store.find(ApiKeyRecord, Query((Clause("tenants", "eq", ("acme",)),)), EVERYONE)

        assert [record.id for record in page.items] == ["k1"]

    async def test_one_that_fails_leaves_nothing(self, store):
        async def work(transaction: Any) -> None:
            await transaction.insert(tenant("acme"))
            await transaction.insert(audit("a1", "acme"))
            await transaction.next_version()
            await transaction.announce(announcement("e1"))
            await transaction.retire(RetiredConfig(id="c", tenant_id="acme", at=datetime.now(UTC)))
            raise LookupError

        before = await store.snapshot_version()
        with pytest.raises(LookupError):
            await store.transact(work)

        assert await store.get(TenantRecord, "acme", EVERYONE) is None
        assert await store.get(AuditRecord, "a1", EVERYONE) is None
        assert (await store.snapshot_version(), list(await store.announcements(9))) == (before, [])
        assert (await store.everything()).retired == ()

    async def test_it_sees_what_it_wrote(self, store):
        async def work(transaction: Any) -> tuple[int, bool]:
            await transaction.insert(tenant("acme"))
            found = await transaction.find(TenantRecord, ALL, EVERYONE)
            return found.count, await transaction.get(TenantRecord, "acme", EVERYONE) is not None

        assert await store.transact(work) == (1, True)

    @pytest.mark.parametrize("kinds", [["next_version"], ["lock"], ["next_version", "lock"]], ids="-".join)
    async def test_two_that_lock_or_advance_the_version_never_decide_on_the_same_state(self, store, kinds):
        """Each adds a record only if there is none: however they meet, one is added."""

        async def work(transaction: Any, number: int) -> bool:
            if (await transaction.find(TenantRecord, ALL, EVERYONE)).count:
                return False
            await asyncio.sleep(0)
            await transaction.insert(tenant(f"t{number}"))
            await getattr(transaction, kinds[number % len(kinds)])()
            return True

        added = await asyncio.gather(*(store.transact(lambda tx, n=n: work(tx, n)) for n in range(6)))

        assert sum(added) == 1
        assert (await store.find(TenantRecord, ALL, EVERYONE)).count == 1

    async def test_a_turn_makes_no_new_version(self, store):
        for _ in range(2):
            before = await store.snapshot_version()
            await store.transact(lambda transaction: transaction.lock())
            assert await store.snapshot_version() == before
            assert await store.transact(lambda transaction: transaction.next_version()) != before

    async def test_each_advance_gives_a_version_that_never_was(self, store):
        versions = {await store.snapshot_version()}
        for _ in range(4):
            given = await store.transact(lambda transaction: transaction.next_version())
            assert given == await store.snapshot_version()
            versions.add(given)

        assert len(versions) == 5

    async def test_everything_is_oldest_first_with_its_version(self, store):
        await self.put(
            store,
            tenant("b"),
            tenant("a", 1),
            trunk("t2", minute=2),
            trunk("t1", minute=3),
            config("c2"),
            config("c1", minute=4),
            inbound_rule("i2"),
            inbound_rule("i1", minute=1),
            outbound_rule("o1"),
            extension("e1"),
        )
        version = await store.transact(lambda transaction: transaction.next_version())

        everything = await store.everything()

        assert everything.version == version
        assert [t.id for t in everything.tenants] == ["b", "a"]
        assert [t.id for t in everything.trunks] == ["t2", "t1"]
        assert [c.id for c in everything.configs] == ["c2", "c1"]
        assert [rule.id for rule in everything.inbound_rules] == ["i2", "i1"]
        assert [one.id for one in (*everything.outbound_rules, *everything.extensions)] == ["o1", "e1"]

    async def test_everything_has_each_rule_as_it_is_now(self, store):
        first, second, third = inbound_rule("i1"), inbound_rule("i2", minute=1), inbound_rule("i3", minute=2)
        await self.put(store, first, second)
        seen = [(await store.everything()).inbound_rules]

        changed = second.changed(START, "me", name="Changed")

        async def work(transaction: Any) -> None:
            await transaction.remove(first)
            await transaction.replace(second, changed)
            await transaction.insert(third)

        await store.transact(work)
        seen.append((await store.everything()).inbound_rules)
        without = await store.everything(with_rules=False)

        assert seen == [(first, second), (changed, third)]
        assert without.inbound_rules == ()

    async def test_everything_has_a_secret_that_was_sealed_anew(self, store):
        first, second = config("c1"), config("c2")
        await self.put(store, first, second)
        await store.everything()

        anew = StoredSecret(key_id="k2", data=b"again", changed_at=START)
        resealed = first.model_copy(update={"secrets": {"credentials.api_secret": anew}})
        await store.transact(lambda transaction: transaction.replace(first, resealed))

        assert (await store.everything()).configs == (resealed, second)

    async def test_everything_has_a_proof_that_took_the_place_of_another(self, store):
        first = config("c1")
        await self.put(store, first)
        seen = [(await store.everything()).configs[0]]
        for minutes in (1, 2):
            proof = StoredSecret(key_id="k1", data=b"%d" % minutes, changed_at=START + timedelta(minutes=minutes))
            proved = seen[-1].model_copy(update={"secrets": {**first.secrets, ACCOUNT_PROOF: proof}})
            await store.transact(lambda transaction, now=proved: transaction.replace(seen[-1], now))
            seen.append((await store.everything()).configs[0])

        assert [ACCOUNT_PROOF in one.secrets and one.secrets[ACCOUNT_PROOF].data for one in seen] == [False, b"1", b"2"]

    async def test_trunks_of_the_system_are_found_by_having_no_tenant(self, store):
        await self.put(store, trunk("own"), trunk("lent", None, account="5500001", pools=()))

        found = await store.find(TrunkRecord, Query((Clause("tenant_id", "eq", (None,)),), top=None), EVERYONE)

        assert [(one.id, one.account) for one in found.items] == [("lent", "5500001")]

    async def test_deleted_configurations_are_remembered_for_a_while(self, store):
        recent = RetiredConfig(
            id="c1", tenant_id="acme", at=datetime.now(UTC).replace(microsecond=0) - timedelta(days=29)
        )
        await store.transact(lambda transaction: transaction.retire(recent))

        assert (await store.everything()).retired == (recent,)

    async def test_a_key_is_found_by_its_prefix_and_its_use_remembered(self, store):
        await self.put(store, key("k1", None))

        await store.touch_api_key("k1", START)
        await store.touch_api_key("nobody", START)

        found = await store.api_key("prefix-k1")
        assert found == key("k1", None, last_used_at=START)
        assert await store.api_key("prefix-nobody") is None

    async def test_announcements_wait_in_order_until_they_are_announced(self, store):
        async def work(transaction: Any) -> None:
            for n in range(3):
                await transaction.announce(announcement(f"e{n}", minute=n))

        await store.transact(work)

        assert [waiting.id for waiting in await store.announcements(2)] == ["e0", "e1"]
        await store.remove_announcements(["e0", "nothing"])
        assert list(await store.announcements(9)) == [announcement("e1", minute=1), announcement("e2", minute=2)]

    async def test_of_webhooks_the_newest_of_each_result_is_kept(self, store: Store) -> None:
        def seen(config_id: str, result: str, seconds: int, **values: Any) -> SeenWebhook:
            at = START + timedelta(seconds=seconds)
            return SeenWebhook(config_id=config_id, result=result, status=200, at=at, **values)

        newest = seen("c1", "accepted", 9, kind="message-sent", source="203.0.113.7")
        refused = seen("c1", "unauthorized", 1)
        await store.record_webhooks([])
        await store.record_webhooks([newest, refused, seen("c2", "accepted", 1)])
        await store.record_webhooks([seen("c1", "accepted", 8, kind="zzz"), seen("c1", "accepted", 9)])

        found = await store.latest_webhooks(["c1", "nothing"])

        assert sorted(found, key=lambda one: one.result) == [newest, refused]
        assert await store.latest_webhooks([]) == []

    async def test_it_answers_and_can_be_prepared_again(self, store):
        await store.ping()
        await store.prepare()


ALL_BY_ID = Query(order=(Order("id"),), top=None)


def announcement(announcement_id: str, minute: int = 0) -> Announcement:
    at = START + timedelta(minutes=minute)
    return Announcement(
        id=announcement_id, at=at, tenant_id="acme", kind="trunk", object_id="t", action="created", snapshot="1"
    )
