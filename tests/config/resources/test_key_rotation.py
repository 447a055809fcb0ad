"""Secrets are sealed with the first key of the ring, and older keys can go once all are."""

import pytest

from sms_config.model.keyring import KeyRing, new_entry
from sms_config.model.records import SmsConfigRecord
from sms_config.resources.key_rotation import check_key_ring, rewrap
from sms_config.resources.sealing import reseal
from sms_config.storage.store_protocol import StoreUnusable
from sms_config.storage.testing import InMemoryStore
from tests.config.sealed import fill

OLD, NEW, OTHER = new_entry("old"), new_entry("new"), new_entry("old")


def records(store: InMemoryStore) -> list[SmsConfigRecord]:
    return [record for record in store.records[SmsConfigRecord].values() if isinstance(record, SmsConfigRecord)]


def keys_in_use(store: InMemoryStore) -> set[str]:
    return {secret.key_id for record in records(store) for secret in record.secrets.values()}


def secrets_of(store: InMemoryStore, ring: KeyRing) -> dict[str, str]:
    (record,) = records(store)
    return {field: ring.open(s.sealed, record.place(field)).get_secret_value() for field, s in record.secrets.items()}


class TestKeyRingCheck:
    async def test_a_ring_that_opens_everything_is_fine(self, store):
        await fill(store, KeyRing.parse(OLD))

        await check_key_ring(store, KeyRing.parse(f"{NEW},{OLD}"))

    async def test_a_missing_key_is_named_in_a_sentence_that_says_what_to_do(self, store):
        await fill(store, KeyRing.parse(OLD))

        with pytest.raises(
            StoreUnusable, match=r"keys that CONFIG_KEY_RING lacks \(old\). Put them back behind the first"
        ):
            await check_key_ring(store, KeyRing.parse(NEW))

    async def test_another_key_under_a_known_id_is_found_out(self, store):
        await fill(store, KeyRing.parse(OLD))

        with pytest.raises(StoreUnusable, match=r"holds other keys than the ones secrets were stored with \(old\)"):
            await check_key_ring(store, KeyRing.parse(OTHER))

    async def test_one_value_that_was_tampered_with_does_not_stop_the_service(self, store):
        ring = KeyRing.parse(OLD)
        await fill(store, ring)
        (record,) = records(store)
        broken = {
            f: s.model_copy(update={"data": s.data[::-1]}) if f == "webhook.token" else s
            for f, s in record.secrets.items()
        }
        store.records[SmsConfigRecord][record.id] = record.model_copy(update={"secrets": broken})

        await check_key_ring(store, ring)


class TestRewrap:
    async def test_everything_is_sealed_with_the_first_key_and_stays_the_same(self, store):
        old, both = KeyRing.parse(OLD), KeyRing.parse(f"{NEW},{OLD}")
        await fill(store, old)
        before, (was,), version = secrets_of(store, old), records(store), await store.snapshot_version()

        assert await rewrap(store, both, lambda _: None)

        (now,) = records(store)
        assert keys_in_use(store) == {"new"}
        assert secrets_of(store, KeyRing.parse(NEW)) == before
        assert now.model_copy(update={"secrets": {}}) == was.model_copy(update={"secrets": {}})
        assert {f: s.changed_at for f, s in now.secrets.items()} == {f: s.changed_at for f, s in was.secrets.items()}
        assert await store.snapshot_version() == version

    async def test_one_that_is_sealed_in_part_is_finished(self, store):
        both = KeyRing.parse(f"{NEW},{OLD}")
        await fill(store, KeyRing.parse(OLD))
        (record,) = records(store)
        ready = reseal(both, record)
        partly = {**record.secrets, "webhook.token": ready.secrets["webhook.token"]}
        store.records[SmsConfigRecord][record.id] = record.model_copy(update={"secrets": partly})

        assert await rewrap(store, both, lambda _: None)
        (now,) = records(store)
        assert keys_in_use(store) == {"new"}
        assert now.secrets["webhook.token"] == partly["webhook.token"]

    async def test_it_tells_how_far_it_is(self, store):
        await fill(store, KeyRing.parse(OLD), 205)
        told: list[str] = []

        await rewrap(store, KeyRing.parse(f"{NEW},{OLD}"), told.append)

        assert told == [
            "100 of 205 configurations",
            "200 of 205 configurations",
            "205 of 205 configurations",
            "205 configurations sealed again with the key new, 0 already were, 0 cannot be opened",
        ]

    async def test_a_second_run_has_nothing_to_do(self, store):
        ring = KeyRing.parse(f"{NEW},{OLD}")
        await fill(store, KeyRing.parse(OLD))
        await rewrap(store, ring, lambda _: None)
        told: list[str] = []

        assert await rewrap(store, ring, told.append)
        assert told == ["0 configurations sealed again with the key new, 1 already were, 0 cannot be opened"]

    async def test_what_cannot_be_opened_is_told_and_the_rest_is_done(self, store):
        await fill(store, KeyRing.parse(OLD), 2)
        first = records(store)[0]
        broken = {f: s.model_copy(update={"data": s.data[::-1]}) for f, s in first.secrets.items()}
        store.records[SmsConfigRecord][first.id] = first.model_copy(update={"secrets": broken})
        told: list[str] = []

        assert not await rewrap(store, KeyRing.parse(f"{NEW},{OLD}"), told.append)
        assert told[0].startswith("cannot open: What is stored as ")
        assert told[-1] == "1 configurations sealed again with the key new, 0 already were, 1 cannot be opened"

    async def test_a_configuration_deleted_meanwhile_is_left_alone(self, store, monkeypatch):
        await fill(store, KeyRing.parse(OLD))
        find = store.find

        async def then_delete(*args):
            page = await find(*args)
            store.records[SmsConfigRecord].clear()
            return page

        monkeypatch.setattr(store, "find", then_delete)

        assert await rewrap(store, KeyRing.parse(f"{NEW},{OLD}"), lambda _: None)
        assert records(store) == []
