"""The messages that the simulator accepted and delivered, and how often each tag was used."""

from dataclasses import dataclass, field
from typing import Literal

from carrier_simulator.carrier.accounts import Application
from carrier_simulator.carrier.journal import Journal
from carrier_simulator.carrier.outcomes import MessageOutcome

__all__ = [
    "ArrivalFilter",
    "ArrivedMessage",
    "ChannelName",
    "HandsetMessage",
    "MessageChannel",
    "MessageKind",
    "MessageRecipient",
    "Priority",
    "Records",
    "Status",
]

MessageKind = Literal["sms", "mms", "rcs"]
Priority = Literal["default", "high"]
ChannelName = Literal["RBM", "SMS", "MMS"]
Status = Literal["QUEUED", "SENDING", "SENT", "DELIVERED", "FAILED", "UNDELIVERED"]


_KINDS: dict[ChannelName, MessageKind] = {"RBM": "rcs", "SMS": "sms", "MMS": "mms"}


@dataclass(frozen=True, slots=True)
class MessageChannel:
    """One way in which a multi-channel message may be sent."""

    name: ChannelName
    application: Application
    sender: str
    text: str | None
    media: tuple[str, ...]
    segments: int

    @property
    def kind(self) -> MessageKind:
        """The type of message that this channel carries."""
        return _KINDS[self.name]


@dataclass(slots=True)
class MessageRecipient:
    """One recipient of an accepted message, and the message's status there."""

    number: str
    outcome: MessageOutcome
    status: Status = "QUEUED"
    error_code: int = 0


@dataclass(slots=True)
class ArrivedMessage:
    """A message that was accepted: all fields of the request, and the recipients' statuses. Times are epoch seconds."""

    id: str
    account_id: str
    application: Application
    time: float
    sender: str
    recipients: tuple[MessageRecipient, ...]
    text: str | None
    media: tuple[str, ...]
    tag: str | None
    priority: Priority
    expiration: str | None
    expires_at: float | None
    kind: MessageKind
    segments: int
    channels: tuple[MessageChannel, ...] = ()
    channel: str | None = None
    sequence: int = 0

    @property
    def to(self) -> tuple[str, ...]:
        """The recipients' numbers."""
        return tuple(recipient.number for recipient in self.recipients)


@dataclass(slots=True)
class HandsetMessage:
    """A message that was delivered to one of the customer's numbers."""

    id: str
    account_id: str
    application: Application
    time: float
    sender: str
    owner: str
    members: int
    text_length: int
    attachments: int
    kind: MessageKind
    segments: int
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class ArrivalFilter:
    """Selects arrivals; a field that is None matches all. `after` is a sequence number."""

    tag: str | None = None
    tag_prefix: str | None = None
    to: str | None = None
    sender: str | None = None
    message_id: str | None = None
    account_id: str | None = None
    after: int = 0

    def __call__(self, arrival: ArrivedMessage) -> bool:
        """Return whether the arrival matches."""
        return (
            arrival.sequence > self.after
            and (self.tag is None or arrival.tag == self.tag)
            and (self.tag_prefix is None or (arrival.tag or "").startswith(self.tag_prefix))
            and (self.sender is None or arrival.sender == self.sender)
            and (self.message_id is None or arrival.id == self.message_id)
            and (self.account_id is None or arrival.account_id == self.account_id)
            and (self.to is None or self.to in arrival.to)
        )


@dataclass(slots=True)
class Records:
    """The arrivals and the inbound messages, each bounded; counts by tag cover the arrivals that are still kept."""

    limit: int
    arrivals: Journal[ArrivedMessage] = field(init=False)
    inbound: Journal[HandsetMessage] = field(init=False)
    by_tag: dict[str, int] = field(init=False, default_factory=dict)
    untagged: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.arrivals = Journal(self.limit)
        self.inbound = Journal(self.limit)

    def accept(self, arrival: ArrivedMessage) -> None:
        """Remember an accepted message."""
        arrival.sequence = self.arrivals.total + 1
        if arrival.tag is None:
            self.untagged += 1
        else:
            self.by_tag[arrival.tag] = self.by_tag.get(arrival.tag, 0) + 1
        forgotten = self.arrivals.append(arrival)
        if forgotten is not None:
            self._uncount(forgotten)

    def receive(self, message: HandsetMessage) -> None:
        """Remember a message to the customer."""
        message.sequence = self.inbound.total + 1
        self.inbound.append(message)

    def clear(self) -> None:
        """Forget everything."""
        self.arrivals.clear()
        self.inbound.clear()
        self.by_tag.clear()
        self.untagged = 0

    def _uncount(self, arrival: ArrivedMessage) -> None:
        if arrival.tag is None:
            self.untagged -= 1
        elif self.by_tag[arrival.tag] == 1:
            del self.by_tag[arrival.tag]
        else:
            self.by_tag[arrival.tag] -= 1
