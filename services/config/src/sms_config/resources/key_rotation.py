"""Encrypts stored secrets again with the first key of the ring, so that older keys can be removed from it."""

from collections.abc import Callable

from sms_config.model.keyring import KeyRing, SealBroken
from sms_config.model.query import Query
from sms_config.model.records import SmsConfigRecord
from sms_config.resources.sealing import reseal
from sms_config.storage.store_protocol import EVERYONE, Store, StoreUnusable, Transaction

_REPORT_EVERY = 100


async def check_key_ring(store: Store, ring: KeyRing) -> None:
    """Raise StoreUnusable when the ring cannot decrypt what is stored: a key is missing or has changed."""
    configs = (await store.find(SmsConfigRecord, Query(top=None), EVERYONE)).items
    sealed = [(record, field, secret) for record in configs for field, secret in record.secrets.items()]
    missing = ring.missing(secret.key_id for _, _, secret in sealed)
    if missing:
        raise StoreUnusable(
            f"Secrets are stored under keys that CONFIG_KEY_RING lacks ({', '.join(missing)}). "
            "Put them back behind the first key."
        )
    opened: dict[str, bool] = {}
    for record, field, secret in sealed:
        if not opened.get(secret.key_id):
            opened[secret.key_id] = _opens(ring, record, field)
    wrong = sorted(key_id for key_id, works in opened.items() if not works)
    if wrong:
        raise StoreUnusable(
            f"CONFIG_KEY_RING holds other keys than the ones secrets were stored with ({', '.join(wrong)}). "
            "Give new keys new ids and put the old keys back behind the first."
        )


def _opens(ring: KeyRing, record: SmsConfigRecord, field: str) -> bool:
    try:
        ring.open(record.secrets[field].sealed, record.place(field))
    except SealBroken:
        return False
    return True


async def rewrap(store: Store, ring: KeyRing, report: Callable[[str], None]) -> bool:
    """Encrypt every secret with the first key, one configuration at a time. `report` gets lines about the progress.

    Returns whether everything worked. It may run beside the service, be stopped, and be repeated.
    """
    records = (await store.find(SmsConfigRecord, Query(top=None), EVERYONE)).items
    stale = [
        record.id for record in records if any(secret.key_id != ring.current for secret in record.secrets.values())
    ]
    broken = 0
    for done, config_id in enumerate(stale, start=1):
        try:
            await _rewrap_one(store, ring, config_id)
        except SealBroken as error:
            broken += 1
            report(f"cannot open: {error}")
        if done % _REPORT_EVERY == 0 or done == len(stale):
            report(f"{done} of {len(stale)} configurations")
    report(
        f"{len(stale) - broken} configurations sealed again with the key {ring.current}, "
        f"{len(records) - len(stale)} already were, {broken} cannot be opened"
    )
    return broken == 0


async def _rewrap_one(store: Store, ring: KeyRing, config_id: str) -> None:
    async def work(transaction: Transaction) -> None:
        record = await transaction.get(SmsConfigRecord, config_id, EVERYONE)
        if record is not None:
            await transaction.replace(record, reseal(ring, record))

    await store.transact(work)
