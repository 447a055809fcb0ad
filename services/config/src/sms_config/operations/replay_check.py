"""Whether a parked inbound text can be replayed, decided as the dispatcher will decide: who owns its number, and
may the webhook by which it came speak for that tenant. So no replay is reported as done when its text would be parked
again at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from sms_common.configuration import DidIndex, DidPool
from sms_common.events import InboundEvent
from sms_config.model.query import Clause, Query
from sms_config.model.records import SmsConfigRecord, TrunkRecord
from sms_config.operations.replay_refusals import ReplayRefusal, ReplayRefused
from sms_config.storage.store_protocol import EVERYONE, Store

IsProved = Callable[[SmsConfigRecord, TrunkRecord], bool]

_NOBODYS = "Nobody owns its number: add it to a trunk, then replay it."
_ANOTHERS = (
    "It came by the webhook of another tenant than its number's. Who knows that it is real names the tenant of the "
    "number (tenant_id)."
)
_UNPROVED = (
    "It came by the webhook of another tenant, whose SMS configuration has not proved to have the lent trunk's "
    "account: name the account in the trunk and test the credentials, or name the tenant of the number."
)
_DISABLED = "The SMS configuration by which it would be given is switched off: enable it, then replay it."


@dataclass(frozen=True, slots=True)
class ReplayCheck:
    """The numbers of all tenants, as they were when it was loaded."""

    store: Store
    is_proved: IsProved
    trunks: Mapping[str, TrunkRecord]
    index: DidIndex

    @classmethod
    async def load(cls, store: Store, is_proved: IsProved) -> Self:
        """Read all number pools. Raises Unavailable."""
        trunks = (await store.find(TrunkRecord, Query(top=None), EVERYONE)).items
        pools = tuple(
            DidPool(tenant_id=pool.tenant_id, trunk_id=trunk.id, numbers=pool.dids)
            for trunk in trunks
            for pool in trunk.all_pools
            if pool.dids
        )
        return cls(store, is_proved, {trunk.id: trunk for trunk in trunks}, DidIndex(pools))

    async def refusal(self, text: InboundEvent, tenant_id: str | None = None) -> ReplayRefused | None:
        """Return why a text cannot be replayed, or None. `tenant_id`: the owner that a person named."""
        config = await self.store.get(SmsConfigRecord, text.config_id, EVERYONE)
        pool = self.index.find(text.did)
        owner = pool.tenant_id if pool is not None else _by_name(text.did, config)
        if owner is None:
            return ReplayRefused(ReplayRefusal.NO_OWNER, _NOBODYS)
        if tenant_id not in {None, owner}:
            return ReplayRefused(ReplayRefusal.NOT_ITS_NUMBER, f"Its number is not {tenant_id}'s.")
        if tenant_id is None and owner != (text.tenant_id or (config and config.tenant_id)):
            if pool is None or config is None or config.provider_id != pool.trunk_id:
                return ReplayRefused(ReplayRefusal.ANOTHERS_WEBHOOK, _ANOTHERS)
            if not self.is_proved(config, self.trunks[pool.trunk_id]):
                return ReplayRefused(ReplayRefusal.ACCOUNT_UNPROVED, _UNPROVED)
        return await self._disabled(owner, config, pool)

    async def _disabled(self, owner: str, config: SmsConfigRecord | None, pool: DidPool | None) -> ReplayRefused | None:
        """Return the refusal when the owner's configuration for it is disabled."""
        if (config is None or config.tenant_id != owner) and pool is not None:
            own = (Clause("tenant_id", "eq", (owner,)), Clause("provider_id", "eq", (pool.trunk_id,)))
            config = next(iter((await self.store.find(SmsConfigRecord, Query(own, top=1), EVERYONE)).items), None)
        return None if config is None or config.enabled else ReplayRefused(ReplayRefusal.CONFIG_DISABLED, _DISABLED)


def _by_name(did: str, config: SmsConfigRecord | None) -> str | None:
    """Return the tenant of a recipient that is in no pool: a configuration's own sender name or short code."""
    names = {did, did.removeprefix("+")}
    return config.tenant_id if config is not None and config.sender_id in names else None
