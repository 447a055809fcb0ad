import pytest

from sms_common.errors import Unavailable
from sms_config.model.records import TenantRecord
from sms_config.storage.store_protocol import EVERYONE, StoreUnusable
from tests.config.store_contract import StoreContract, tenant


class TestInMemoryStore(StoreContract):
    """It meets the contract of stores."""


async def test_while_it_is_away_every_call_says_so(store):
    await StoreContract().put(store, tenant("acme"))
    store.away = True

    for call in (
        store.ping(),
        store.prepare(),
        store.get(TenantRecord, "acme", EVERYONE),
        store.snapshot_version(),
        store.everything(),
        store.api_key("x"),
        store.announcements(1),
        store.remove_announcements([]),
        store.transact(lambda transaction: transaction.next_version()),
    ):
        with pytest.raises(Unavailable):
            await call


async def test_a_store_made_unusable_cannot_be_prepared(store):
    store.unusable = "why"

    with pytest.raises(StoreUnusable, match="why"):
        await store.prepare()
