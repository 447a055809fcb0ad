import asyncio

import pytest

from sms_config.model.keyring import KeyRing, new_entry
from sms_config.startup import Startup
from sms_config.storage.store_protocol import StoreUnusable
from tests.config.sealed import fill

OLD = new_entry("old")


class TestStartup:
    async def test_it_waits_for_the_store_and_says_so(self, store, ring):
        startup = Startup(store, ring, retry=0.001)
        store.away = True
        assert startup.waiting_for() == "The store has not been prepared yet."

        preparing = asyncio.create_task(startup.prepare())
        await store.refused.wait()
        await asyncio.sleep(0)
        assert startup.waiting_for() == "The store is away."
        store.away = False
        await preparing

        assert startup.waiting_for() is None

    @pytest.mark.parametrize("sentence", ["an index cannot be made"])
    async def test_a_store_that_cannot_be_used_ends_the_start(self, store, ring, sentence):
        store.unusable = sentence
        startup = Startup(store, ring)

        with pytest.raises(StoreUnusable, match=sentence):
            await startup.prepare()
        assert startup.waiting_for() is not None

    async def test_secrets_under_an_unknown_key_end_the_start(self, store, ring):
        await fill(store, KeyRing.parse(OLD))

        with pytest.raises(StoreUnusable, match="CONFIG_KEY_RING lacks"):
            await Startup(store, ring).prepare()
