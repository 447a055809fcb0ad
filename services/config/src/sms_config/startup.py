"""Prepares the store at the start, however long MongoDB takes, and refuses data that cannot be served."""

from collections.abc import Awaitable, Callable

import structlog

from sms_common.backoff import BackoffPolicy, retry_until_available
from sms_common.errors import Unavailable
from sms_config.model.keyring import KeyRing
from sms_config.resources.key_rotation import check_key_ring
from sms_config.storage.store_protocol import Store

_log = structlog.get_logger()

_RETRY_SECONDS = 1.0


class Startup:
    """Prepares `store` once, then calls `then`. Until that is done nothing is served from the store."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        *,
        retry: float = _RETRY_SECONDS,
        then: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._ring = ring
        self._retry = retry
        self._then = then
        self._waiting_for: str | None = "The store has not been prepared yet."

    def waiting_for(self) -> str | None:
        """Return what is still missing, as a sentence, or None once the store may be used."""
        return self._waiting_for

    async def prepare(self) -> None:
        """Return once the store is prepared. Raises StoreUnusable when a person must act first."""
        policy = BackoffPolicy(self._retry, self._retry)
        await retry_until_available(self._prepare, policy=policy, on_failure=self._note)
        self._waiting_for = None
        _log.info("store.prepared")

    async def _prepare(self) -> None:
        await self._store.prepare()
        await check_key_ring(self._store, self._ring)
        if self._then is not None:
            await self._then()

    def _note(self, unavailable: Unavailable) -> None:
        if self._waiting_for != unavailable.reason:
            _log.warning("store.awaited", code=unavailable.code, reason=unavailable.reason)
        self._waiting_for = unavailable.reason
