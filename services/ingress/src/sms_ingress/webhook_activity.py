"""Records the last webhook of each outcome for each SMS configuration, and reports them to the config service.

What has not been reported is lost with the process. It only shows people whether webhooks arrive; nothing else depends
on it. Decision 0011 has the reasons.
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

# About: each process draws its periods, so that they do not all report at the same moments.
REPORT_SECONDS = 10.0
_EVENTS = LoopEvents("webhooks_seen.not_reported", "webhooks_seen.failed")
# Some 200 bytes each, so an event stays far below its maximum size.
_MAX_IN_EVENT = 500
_LONGEST_KIND = 64

_Key = tuple[str, WebhookOutcome]


class WebhookActivity:
    """Records webhooks in memory and publishes them about every `every` seconds.

    `record` is called for every webhook of a known configuration, so it must be fast. `proxies` are trusted about the
    address that a webhook came from.
    """

    def __init__(
        self, publisher: Publisher, *, every: float = REPORT_SECONDS, proxies: TrustedProxies | None = None
    ) -> None:
        self._publisher = publisher
        self._proxies = proxies or TrustedProxies()
        self._every = every
        self._last: dict[_Key, tuple[datetime, str | None, str | None]] = {}
        self._task: asyncio.Task[None] | None = None

    def source_of(self, peer: str | None, headers: Headers) -> str | None:
        """Return the address that a request came from, behind trusted proxies too."""
        return self._proxies.client(peer, headers).address

    def record(
        self, endpoint: WebhookEndpoint, outcome: WebhookOutcome, at: datetime, kind: str | None, source: str | None
    ) -> None:
        """Record a webhook in place of the last one with the same outcome."""
        self._last[endpoint.config_id, outcome] = (at, kind, source)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(periodically(self.report, self._every, None, _EVENTS))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Report what is left, if the broker accepts it."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.report()

    async def report(self) -> None:
        """Publish everything that was recorded since the last report. While the broker is down it is kept."""
        last, self._last = self._last, {}
        for part in _parts(list(last)):
            event = WebhooksSeen(event_id=str(uuid.uuid4()), seen=tuple(_seen(key, last[key]) for key in part))
            try:
                await self._publisher.publish(_outgoing(event))
            except Unavailable as away:
                _log.info("webhooks_seen.not_reported", code=away.code)
                # What was recorded meanwhile is newer.
                self._last = {**last, **self._last}
                return
            for key in part:
                del last[key]


def _parts(keys: list[_Key]) -> Iterator[list[_Key]]:
    for start in range(0, len(keys), _MAX_IN_EVENT):
        yield keys[start : start + _MAX_IN_EVENT]


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
