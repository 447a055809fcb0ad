"""Notes the last webhook of each kind of answer for each SMS configuration, and tells the config service now and then.

What has not been told yet is lost with the process: it is for people who wonder whether webhooks arrive, and nothing
else hangs on it. Decision 0011 says why it goes this way.
"""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Self

import structlog

from sms_common import topology
from sms_common.broker import Outgoing, Publisher
from sms_common.configuration import WebhookEndpoint
from sms_common.errors import Unavailable
from sms_common.events import SeenWebhook, WebhooksSeen
from sms_common.http.proxies import Headers, TrustedProxies
from sms_common.service.background_work import LoopEvents, periodically
from sms_ingress.answers import WebhookOutcome

_log = structlog.get_logger(__name__)

EVERY_SECONDS = 10.0
_EVENTS = LoopEvents("webhooks_seen.not_told", "webhooks_seen.failed")
# Some 200 bytes each, so an event stays far below its greatest size.
_IN_ONE_EVENT = 500
_LONGEST_KIND = 64

_Key = tuple[str, WebhookOutcome]


class SeenWebhooks:
    """`note` is called for every webhook of a known configuration, so it does nothing but remember.

    `proxies` are believed about where a webhook came from.
    """

    def __init__(
        self, publisher: Publisher, *, every: float = EVERY_SECONDS, proxies: TrustedProxies | None = None
    ) -> None:
        self._publisher = publisher
        self._proxies = proxies or TrustedProxies()
        self._every = every
        self._last: dict[_Key, tuple[datetime, str | None, str | None]] = {}
        self._task: asyncio.Task[None] | None = None

    def source_of(self, peer: str | None, headers: Headers) -> str | None:
        """The address that a request came from, whatever proxy handed it on."""
        return self._proxies.client(peer, headers).address

    def note(
        self, endpoint: WebhookEndpoint, outcome: WebhookOutcome, at: datetime, kind: str | None, source: str | None
    ) -> None:
        """Remember a webhook in place of the one before it that was answered alike."""
        self._last[endpoint.config_id, outcome] = (at, kind, source)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(periodically(self.tell, self._every, None, _EVENTS))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell what is left, if the broker takes it."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.tell()

    async def tell(self) -> None:
        """Tell everything that was noted since the last time; while the broker is away it waits."""
        last, self._last = self._last, {}
        for part in _parts(list(last)):
            event = WebhooksSeen(event_id=str(uuid.uuid4()), seen=tuple(_seen(key, last[key]) for key in part))
            try:
                await self._publisher.publish(_outgoing(event))
            except Unavailable as away:
                _log.info("webhooks_seen.not_told", code=away.code)
                # What came meanwhile is newer.
                self._last = {**last, **self._last}
                return
            for key in part:
                del last[key]


def _parts(keys: list[_Key]) -> Iterator[list[_Key]]:
    for start in range(0, len(keys), _IN_ONE_EVENT):
        yield keys[start : start + _IN_ONE_EVENT]


def _seen(key: _Key, last: tuple[datetime, str | None, str | None]) -> SeenWebhook:
    config_id, outcome = key
    at, kind, source = last
    return SeenWebhook(
        config_id=config_id,
        result=outcome.word,
        status=outcome.status,
        at=at,
        kind=None if kind is None else kind[:_LONGEST_KIND],
        source=source,
    )


def _outgoing(event: WebhooksSeen) -> Outgoing:
    return Outgoing(
        exchange=topology.SEEN,
        routing_key=topology.SEEN,
        body=event.encode(),
        type=event.TYPE,
        message_id=event.event_id,
    )
