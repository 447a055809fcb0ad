"""The whole simulator without HTTP: it holds every part, joins them, and is what tests in the same process talk to."""

import base64
import binascii
import secrets
from collections import Counter
from dataclasses import replace
from typing import Any

from carrier_simulator.account_queue import AccountQueue
from carrier_simulator.accounts import Account, Accounts, Application
from carrier_simulator.channels import MultiChannelRequest
from carrier_simulator.clock import Clock
from carrier_simulator.delivery import Delivery
from carrier_simulator.events import inbound_event
from carrier_simulator.faults import Fault, Faults
from carrier_simulator.inbound import InboundRequest, store_parts
from carrier_simulator.listing import ListRateLimit
from carrier_simulator.media import MediaStore
from carrier_simulator.media_fetch import MediaFetcher
from carrier_simulator.messages import MessageRequest, is_toll_free
from carrier_simulator.outcomes import Outcome, Outcomes, Script
from carrier_simulator.records import Arrival, ArrivalFilter, InboundMessage, Recipient, Records
from carrier_simulator.refusals import access_denied, authentication_failed, queue_full
from carrier_simulator.settings import SimulatorSettings
from carrier_simulator.tokens import Tokens
from carrier_simulator.webhooks import Attempt, AttemptFilter, WebhookSender, webhook_to

__all__ = ["Simulator"]

_ANY_INTERFACE = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to


class Simulator:
    """One simulated Bandwidth.

    In-process use: `url` (once running), `put_account`, `script`, `add_fault`, `receive`, `arrivals`, `attempts`,
    `wait_for_arrivals`, `wait_for_attempts`, `clock.advance`, `clear`.
    """

    def __init__(self, settings: SimulatorSettings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self.accounts = Accounts(settings.accounts)
        self.tokens = Tokens(self.clock)
        self.faults = Faults(settings.seed)
        self.outcomes = Outcomes()
        self.records = Records(settings.arrivals_limit)
        self.media = MediaStore(self.clock, settings.media_lifetime, settings.media_storage)
        self.list_limit = ListRateLimit(self.clock, settings.list_rate_limit)
        self.webhooks = WebhookSender(settings, self.clock)
        self.answers: Counter[str] = Counter()
        self._fetcher = MediaFetcher(settings, self.media)
        self.delivery = Delivery(settings, self.clock, self.accounts, self.webhooks, self._fetcher)
        self._queues: dict[str, AccountQueue[Arrival]] = {}
        self.url = ""
        self.bound_to(settings.host, settings.port)

    def bound_to(self, host: str, port: int) -> None:
        """Note the address that is listened on."""
        reachable = "127.0.0.1" if host in _ANY_INTERFACE else host
        self.url = f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
        self._fetcher.own_urls = frozenset({self.url, self.public_url})

    @property
    def public_url(self) -> str:
        """Base of the media URLs in inbound messages."""
        return (self.settings.public_url or self.url).rstrip("/")

    @property
    def token_url(self) -> str:
        """Where access tokens are asked for."""
        return f"{self.url}/api/v1/oauth2/token"

    @property
    def messaging_url(self) -> str:
        """The base that takes the place of https://messaging.bandwidth.com/api/v2."""
        return f"{self.url}/api/v2"

    async def start(self) -> None:
        """Begin to send webhooks and fetch media."""
        await self._fetcher.start()
        await self.webhooks.start()

    async def stop(self) -> None:
        """Stop everything; what is under way is lost."""
        await self.delivery.stop()
        await self.webhooks.stop()
        await self._fetcher.stop()
        self.clock.clear()

    def clear(self) -> None:
        """Forget everything but accounts, tokens and the time."""
        self.delivery.clear()
        for queue in self._queues.values():
            queue.clear()
        self.webhooks.clear()
        self.records.clear()
        self.media.clear()
        self.outcomes.clear()
        self.faults.clear()
        self.list_limit.clear()
        self.answers.clear()
        self.tokens.calls = self.tokens.issued = 0

    def put_account(self, account: Account) -> None:
        """Add or replace an account; its queue goes on with the new rate."""
        self.accounts.put(account)
        if account.account_id in self._queues:
            self._queues[account.account_id].configure(account.rate, account.queue_seconds)

    def remove_account(self, account_id: str) -> bool:
        """Remove an account with what waits in its queue; tell whether it was there."""
        queue = self._queues.pop(account_id, None)
        if queue is not None:
            queue.clear()
        return self.accounts.remove(account_id)

    def queue(self, account: Account) -> AccountQueue[Arrival]:
        """Return the account's outbound queue."""
        queue = self._queues.get(account.account_id)
        if queue is None:
            queue = AccountQueue(self.clock, account.rate, account.queue_seconds, self.delivery.dequeue)
            self._queues[account.account_id] = queue
        return queue

    def script(
        self, outcome: Outcome, *, to: str | None = None, tag: str | None = None, times: int | None = None
    ) -> None:
        """Set what becomes of messages to a number (`*` for any) or with a tag."""
        self.outcomes.add(Script(to=to, tag=tag, times=times, outcome=outcome))

    def add_fault(self, fault: Fault) -> None:
        """Switch a fault on."""
        self.faults.add(fault)

    def authorise(self, authorization: str | None, account_id: str) -> Account:
        """Return the account that a request may act for; raises Refusal (401, 403)."""
        scheme, _, credential = (authorization or "").partition(" ")
        covered: frozenset[str] = frozenset()
        if scheme == "Bearer":
            client_id = self.tokens.client(credential.strip())
            if client_id is None:
                raise authentication_failed()
            covered = self.accounts.accounts_of_client(client_id)
        elif scheme.lower() == "basic":
            covered = self._accounts_of_user(credential)
        if not covered:
            raise authentication_failed()
        account = self.accounts.get(account_id)
        if account is None or account_id not in covered:
            raise access_denied()
        return account

    def _accounts_of_user(self, credential: str) -> frozenset[str]:
        until = self.settings.basic_until
        if until is not None and self.clock.time() >= until.timestamp():
            return frozenset()
        username, _, password = decode_basic(credential).partition(":")
        return self.accounts.accounts_of_user(username, password)

    def accept(self, account: Account, request: MessageRequest) -> Arrival:
        """Queue a message and return it; raises Refusal (429) when the account queue is full."""
        message_id, now = self._new_id()
        arrival = Arrival(
            id=message_id,
            account_id=account.account_id,
            application=request.application,
            time=now,
            sender=request.sender,
            recipients=self._recipients(request.to, request.tag),
            text=request.text,
            media=request.media,
            tag=request.tag,
            priority=request.priority,
            expiration=request.expiration,
            expires_at=request.expires_at,
            kind=request.kind,
            segments=request.segments,
        )
        self._enqueue(account, arrival)
        return arrival

    def accept_multichannel(self, account: Account, request: MultiChannelRequest) -> Arrival:
        """Queue a multi-channel message and return it; raises Refusal (429) when the account queue is full."""
        message_id, now = self._new_id()
        first = request.channels[0]
        arrival = Arrival(
            id=message_id,
            account_id=account.account_id,
            application=first.application,
            time=now,
            sender=first.sender,
            recipients=self._recipients((request.to,), request.tag),
            text=first.text,
            media=first.media,
            tag=request.tag,
            priority=request.priority,
            expiration=request.expiration,
            expires_at=request.expires_at,
            kind=first.kind,
            segments=first.segments,
            channels=request.channels,
        )
        self._enqueue(account, arrival)
        return arrival

    def _recipients(self, numbers: tuple[str, ...], tag: str | None) -> tuple[Recipient, ...]:
        return tuple(Recipient(number, self.outcomes.decide(number, tag)) for number in numbers)

    def _enqueue(self, account: Account, arrival: Arrival) -> None:
        segments = arrival.segments * len(arrival.recipients)
        if not self.queue(account).offer(arrival, segments, urgent=arrival.priority == "high"):
            raise queue_full(account.rate, account.queue_seconds)
        self.records.accept(arrival)

    def receive(self, request: InboundRequest) -> list[InboundMessage]:
        """Have a text from a handset delivered to the customer; one message for each own number it went to.

        Raises LookupError when none of the numbers belongs to an account.
        """
        return [self._receive(request, *owner) for owner in request.owners(self.accounts)]

    def _receive(
        self, request: InboundRequest, account: Account, application: Application, owner: str
    ) -> InboundMessage:
        message_id, now = self._new_id()
        message = InboundMessage(
            id=request.message_id or message_id,
            account_id=account.account_id,
            application=application,
            time=now,
            sender=request.sender,
            owner=owner,
            members=len(request.to),
            text_length=len(request.text or ""),
            attachments=len(request.media),
            kind=request.kind,
            segments=request.segments,
        )
        self.records.receive(message)
        if is_toll_free(owner):
            self.delivery.opt_outs.hear(owner, request.sender, request.text or "")
        self._announce(request, message)
        return message

    def _announce(self, request: InboundRequest, message: InboundMessage) -> None:
        urls = store_parts(self.media, self.public_url, message.account_id, message.id, request.parts())
        content = request.content(urls)
        event = inbound_event(message, list(request.to), content, self.clock.time(), request.time_digits)
        if request.carrier_name is not None:
            event["carrierName"] = request.carrier_name
        document = event if request.shape == "object" else [event]
        kind, to = "message-received", message.owner
        webhook = webhook_to(
            message.application, "inbound", document, kind=kind, message_id=message.id, to=to, tag=None
        )
        if webhook is not None:
            for _ in range(request.copies):
                self.webhooks.submit(replace(webhook))

    def arrivals(self, **wanted: Any) -> list[Arrival]:
        """Return the accepted messages that fit (see ArrivalFilter), oldest first."""
        test = ArrivalFilter(**wanted)
        return [arrival for arrival in self.records.arrivals if test(arrival)]

    def attempts(self, **wanted: Any) -> list[Attempt]:
        """Return the webhook requests that fit (see AttemptFilter), oldest first."""
        test = AttemptFilter(**wanted)
        return [attempt for attempt in self.webhooks.attempts if test(attempt)]

    async def wait_for_arrivals(self, count: int, *, within: float = 10, **wanted: Any) -> list[Arrival]:
        """Return the fitting arrivals once there are `count`; raises TimeoutError after `within` seconds."""
        test = ArrivalFilter(**wanted)
        if not await self.records.arrivals.wait(count, test, within):
            raise TimeoutError(f"{len(self.arrivals(**wanted))} of {count} messages arrived within {within} s")
        return self.arrivals(**wanted)

    async def wait_for_attempts(self, count: int, *, within: float = 10, **wanted: Any) -> list[Attempt]:
        """Return the fitting webhook requests once there are `count`; raises TimeoutError after `within` seconds."""
        test = AttemptFilter(**wanted)
        if not await self.webhooks.attempts.wait(count, test, within):
            raise TimeoutError(f"{len(self.attempts(**wanted))} of {count} webhooks were posted within {within} s")
        return self.attempts(**wanted)

    def _new_id(self) -> tuple[str, float]:
        """Return an id of the form seen in Bandwidth's examples and the time in it, to the millisecond."""
        milliseconds = int(self.clock.time() * 1000)
        return f"{milliseconds}{base64.b32encode(secrets.token_bytes(10)).decode().lower()}", milliseconds / 1000


def decode_basic(credential: str) -> str:
    """Return `user:password` from the credential of a Basic header, or nothing when it cannot be read."""
    try:
        return base64.b64decode(credential, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
