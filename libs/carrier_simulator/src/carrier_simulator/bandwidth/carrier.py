"""The simulated Bandwidth without HTTP: who may call, what is queued, and what comes in from handsets."""

import base64
import binascii
import secrets

from carrier_simulator.bandwidth.delivery import NetworkDelivery
from carrier_simulator.bandwidth.inbound import announce
from carrier_simulator.bandwidth.media_fetch import MediaFetcher
from carrier_simulator.bandwidth.requests.channels import MultiChannelRequest
from carrier_simulator.bandwidth.requests.listing import ListRateLimit
from carrier_simulator.bandwidth.requests.messages import MessageRequest, is_toll_free
from carrier_simulator.bandwidth.requests.refusals import access_denied, authentication_failed, queue_full
from carrier_simulator.bandwidth.suffixes import by_suffix
from carrier_simulator.bandwidth.tokens import IssuedTokens
from carrier_simulator.carrier.account_queue import AccountQueue
from carrier_simulator.carrier.accounts import Application, SimulatedAccount
from carrier_simulator.carrier.inbound import InboundRequest
from carrier_simulator.carrier.outcomes import MessageOutcome
from carrier_simulator.carrier.records import ArrivedMessage, HandsetMessage, MessageRecipient
from carrier_simulator.state import SimulatorState

__all__ = ["SimulatedBandwidth", "decode_basic"]


class SimulatedBandwidth:
    """Bandwidth on the shared state of a simulator: its tokens, its account queues and its delivery."""

    def __init__(self, state: SimulatorState) -> None:
        self.state = state
        self.tokens = IssuedTokens(state.clock)
        self.list_limit = ListRateLimit(state.clock, state.settings.list_rate_limit)
        self._fetcher = MediaFetcher(state)
        self.delivery = NetworkDelivery(state, self._fetcher)
        self._queues: dict[str, AccountQueue[ArrivedMessage]] = {}

    async def start(self) -> None:
        """Begin to fetch media."""
        await self._fetcher.start()

    async def stop(self) -> None:
        """Stop sending and fetching; work in progress is lost."""
        await self.delivery.stop()
        await self._fetcher.stop()

    def clear(self) -> None:
        """Forget queued messages, messages in delivery, and the counts of calls."""
        self.delivery.clear()
        for queue in self._queues.values():
            queue.clear()
        self.list_limit.clear()
        self.tokens.calls = self.tokens.issued = 0

    def queue(self, account: SimulatedAccount) -> AccountQueue[ArrivedMessage]:
        """Return the account's outbound queue."""
        queue = self._queues.get(account.account_id)
        if queue is None:
            queue = AccountQueue(self.state.clock, account.rate, account.queue_seconds, self.delivery.dequeue)
            self._queues[account.account_id] = queue
        return queue

    def reconfigure_queue(self, account: SimulatedAccount) -> None:
        """Give the account's queue, if there is one, the account's rate and depth."""
        if account.account_id in self._queues:
            self._queues[account.account_id].configure(account.rate, account.queue_seconds)

    def remove_queue(self, account_id: str) -> None:
        """Forget the account's queue and the messages in it."""
        queue = self._queues.pop(account_id, None)
        if queue is not None:
            queue.clear()

    def authorise(self, authorization: str | None, account_id: str) -> SimulatedAccount:
        """Return the account that a request may act for; raises Refusal (401, 403)."""
        scheme, _, credential = (authorization or "").partition(" ")
        covered: frozenset[str] = frozenset()
        if scheme == "Bearer":
            client_id = self.tokens.client(credential.strip())
            if client_id is None:
                raise authentication_failed()
            covered = self.state.accounts.accounts_of_client(client_id)
        elif scheme.lower() == "basic":
            covered = self._accounts_of_user(credential)
        if not covered:
            raise authentication_failed()
        account = self.state.accounts.get(account_id)
        if account is None or account_id not in covered:
            raise access_denied()
        return account

    def _accounts_of_user(self, credential: str) -> frozenset[str]:
        until = self.state.settings.basic_until
        if until is not None and self.state.clock.time() >= until.timestamp():
            return frozenset()
        username, _, password = decode_basic(credential).partition(":")
        return self.state.accounts.accounts_of_user(username, password)

    def accept(self, account: SimulatedAccount, request: MessageRequest) -> ArrivedMessage:
        """Queue a message and return it; raises Refusal (429) when the account queue is full."""
        message_id, now = self._new_id()
        arrival = ArrivedMessage(
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

    def accept_multichannel(self, account: SimulatedAccount, request: MultiChannelRequest) -> ArrivedMessage:
        """Queue a multi-channel message and return it; raises Refusal (429) when the account queue is full."""
        message_id, now = self._new_id()
        first = request.channels[0]
        arrival = ArrivedMessage(
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

    def decide(self, recipient: str, tag: str | None) -> MessageOutcome:
        """Return the outcome for this recipient; uses up one use of a script if one applies."""
        return self.state.outcomes.decide(recipient, tag) or by_suffix(recipient)

    def _recipients(self, numbers: tuple[str, ...], tag: str | None) -> tuple[MessageRecipient, ...]:
        return tuple(MessageRecipient(number, self.decide(number, tag)) for number in numbers)

    def _enqueue(self, account: SimulatedAccount, arrival: ArrivedMessage) -> None:
        segments = arrival.segments * len(arrival.recipients)
        if not self.queue(account).offer(arrival, segments, urgent=arrival.priority == "high"):
            raise queue_full(account.rate, account.queue_seconds)
        self.state.records.accept(arrival)

    def receive(self, request: InboundRequest) -> list[HandsetMessage]:
        """Deliver a text from a handset to the customer: one message for each of the customer's numbers in `to`.

        Raises LookupError when none of the numbers belongs to an account.
        """
        return [self._receive(request, *owner) for owner in request.owners(self.state.accounts)]

    def _receive(
        self, request: InboundRequest, account: SimulatedAccount, application: Application, owner: str
    ) -> HandsetMessage:
        message_id, now = self._new_id()
        message = HandsetMessage(
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
        self.state.records.receive(message)
        if is_toll_free(owner):
            self.delivery.opt_outs.hear(owner, request.sender, request.text or "")
        announce(self.state, request, message)
        return message

    def _new_id(self) -> tuple[str, float]:
        """Return an id of the form seen in Bandwidth's examples and the time in it, to the millisecond."""
        milliseconds = int(self.state.clock.time() * 1000)
        return f"{milliseconds}{base64.b32encode(secrets.token_bytes(10)).decode().lower()}", milliseconds / 1000


def decode_basic(credential: str) -> str:
    """Return `user:password` from the credential of a Basic header, or nothing when it cannot be read."""
    try:
        return base64.b64decode(credential, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
