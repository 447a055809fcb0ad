"""Posts webhooks as Bandwidth does: two headers, a time-out of 10 s, Basic credentials when challenged, and retries."""

import asyncio
import base64
import time

import aiohttp
import structlog

from carrier_simulator.carrier.accounts import WebhookCredentials
from carrier_simulator.carrier.clock import Clock
from carrier_simulator.carrier.journal import Journal
from carrier_simulator.settings import SimulatorSettings
from carrier_simulator.webhooks.requests import SUCCESS, Attempt, Webhook

__all__ = ["WebhookSender"]

_HEADERS = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "BandwidthAPI/v2"}
_ANSWER_LIMIT = 65_536  # bytes of an answer that are read, so that the connection can be used again

log = structlog.get_logger(__name__)


class WebhookSender:
    """Sends webhooks over persistent connections, a limited number at a time, and retries failed ones."""

    def __init__(self, settings: SimulatorSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._queue: asyncio.Queue[Webhook] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None
        self._waiting_for_retry = 0
        self._epoch = 0
        self.attempts: Journal[Attempt] = Journal(settings.attempts_limit)
        self.delivered = 0
        self.abandoned = 0
        self.dropped = 0

    @property
    def pending(self) -> int:
        """Webhooks that wait for their next try."""
        return self._queue.qsize() + self._waiting_for_retry

    async def start(self) -> None:
        """Open the connections' pool and begin to send."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._settings.webhook_concurrency, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=self._settings.webhook_timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._settings.webhook_concurrency)]

    async def stop(self) -> None:
        """Stop at once; webhooks that were not delivered are lost, since the simulator keeps everything in memory."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def submit(self, webhook: Webhook) -> None:
        """Queue a webhook for delivery; if the backlog is full it is dropped and counted."""
        if self.pending >= self._settings.webhook_backlog:
            self.dropped += 1
            log.warning("webhook.dropped", reason="the backlog is full", type=webhook.kind, backlog=self.pending)
            _first_try_is_over(webhook)
            return
        self._queue.put_nowait(webhook)

    def clear(self) -> None:
        """Forget pending webhooks and past attempts."""
        self._epoch += 1
        self._waiting_for_retry = 0
        while not self._queue.empty():
            _first_try_is_over(self._queue.get_nowait())
        self.attempts.clear()
        self.delivered = self.abandoned = self.dropped = 0

    async def _work(self) -> None:
        while True:
            webhook = await self._queue.get()
            epoch = self._epoch
            success = await self._try(webhook)
            if epoch == self._epoch:
                self._settle(webhook, success=success)
            _first_try_is_over(webhook)

    def _settle(self, webhook: Webhook, *, success: bool) -> None:
        if success:
            self.delivered += 1
            return
        delays = self._settings.webhook_retry_delays
        due = self._clock.time() + delays[min(webhook.tries, len(delays)) - 1]
        if due - webhook.first_tried_at > self._settings.webhook_retry_window:
            self.abandoned += 1
            log.warning("webhook.given_up", type=webhook.kind, message_id=webhook.message_id, tries=webhook.tries)
            return
        self._waiting_for_retry += 1
        epoch = self._epoch
        self._clock.call_at(due, lambda: self._again(webhook, epoch))

    def _again(self, webhook: Webhook, epoch: int) -> None:
        if epoch == self._epoch:
            self._waiting_for_retry -= 1
            self._queue.put_nowait(webhook)

    async def _try(self, webhook: Webhook) -> bool:
        """Make one try, which is two requests if the first is challenged; return whether it ended in a 2xx."""
        webhook.tries += 1
        if webhook.tries == 1:
            webhook.first_tried_at = self._clock.time()
        mode = self._settings.webhook_authentication
        credentials = webhook.credentials if mode != "none" else None
        first = credentials if mode == "preemptive" else None
        status, challenged = await self._post(webhook, first)
        if challenged and credentials is not None and first is None:
            status, _ = await self._post(webhook, credentials)
        return status in SUCCESS

    async def _post(self, webhook: Webhook, credentials: WebhookCredentials | None) -> tuple[int | None, bool]:
        """Return the status (None without an answer) and whether the answer asks for Basic credentials."""
        assert self._session is not None
        headers = _HEADERS if credentials is None else {**_HEADERS, "Authorization": _basic(credentials)}
        status, error, challenged = None, None, False
        epoch, now, began = self._epoch, self._clock.time(), time.perf_counter()
        try:
            async with self._session.post(
                webhook.url, data=webhook.body, headers=headers, allow_redirects=False
            ) as response:
                status = response.status
                challenge = response.headers.get("WWW-Authenticate", "")
                challenged = status == 401 and challenge.lower().startswith("basic")  # noqa: PLR2004 - the HTTP status
                await response.content.read(_ANSWER_LIMIT)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as failure:
            error = type(failure).__name__
            status = None if isinstance(failure, TimeoutError) else status
        if epoch == self._epoch:
            duration = time.perf_counter() - began
            number, sequence = webhook.tries, self.attempts.total + 1
            self.attempts.append(
                Attempt(now, webhook, number, credentials is not None, status, error, duration, sequence)
            )
        return status, challenged


def _first_try_is_over(webhook: Webhook) -> None:
    then, webhook.first_try_over = webhook.first_try_over, None
    if then is not None:
        then()


def _basic(credentials: WebhookCredentials) -> str:
    pair = f"{credentials.username}:{credentials.password.get_secret_value()}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
