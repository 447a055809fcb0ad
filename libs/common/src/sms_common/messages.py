"""The nouns of messaging that every module shares: a message's status and its rank, and what a carrier is given and
gives back.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """Where an outbound message stands. `rank` orders them: a lower rank never replaces a higher one."""

    ACCEPTED = "accepted"
    QUEUED = "queued"
    HELD = "held"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    SUBMITTED = "submitted"
    SENT = "sent"
    UNDETERMINED = "undetermined"
    DELIVERED = "delivered"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELED = "canceled"

    @property
    def rank(self) -> int:
        """The place of this status in a message's life; equal ranks never replace each other."""
        return _RANKS[self]

    @property
    def final(self) -> bool:
        """Whether the PBX need not wait for anything after this (only `undetermined` may be upgraded once)."""
        return _RANKS[self] >= FINAL_RANK

    @property
    def delivery(self) -> str | None:
        """PortSIP's word for this status in its message records, or None while nothing has left."""
        return _PORTSIP_DELIVERY.get(self)


FINAL_RANK = 80

_RANKS = {
    Status.ACCEPTED: 10,
    Status.QUEUED: 20,
    Status.HELD: 20,
    Status.SUBMITTING: 30,
    Status.UNKNOWN: 35,
    Status.SUBMITTED: 40,
    Status.SENT: 50,
    Status.UNDETERMINED: 80,
    Status.DELIVERED: 90,
    Status.FAILED: 90,
    Status.REJECTED: 90,
    Status.EXPIRED: 90,
    Status.CANCELED: 90,
}

_PORTSIP_DELIVERY = {
    Status.SUBMITTED: "SENT",
    Status.SENT: "SENT",
    Status.UNDETERMINED: "SENT",
    Status.DELIVERED: "DELIVERED",
    Status.FAILED: "ERR",
    Status.REJECTED: "ERR",
    Status.EXPIRED: "ERR",
    Status.CANCELED: "ERR",
}

# PortSIP's word for a message that came in.
DELIVERY_RECEIVED = "RECV"


class MsgType(StrEnum):
    """PortSIP's `msg_type`."""

    SMS = "SMS"
    MMS = "MMS"


class Category(StrEnum):
    """Why a text is sent. Marketing travels in the bulk lane so that it never delays a conversation."""

    CONVERSATIONAL = "conversational"
    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"
    OTP = "otp"

    @property
    def bulk(self) -> bool:
        """Whether this category travels in the bulk lane."""
        return self is Category.MARKETING


class ErrorClass(StrEnum):
    """What an error means for the one who sent: whether the same text may be sent again later, and by whom it was
    refused.
    """

    PERMANENT = "permanent"
    TEMPORARY = "temporary"
    UNKNOWN = "unknown"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """One request to a carrier. Several recipients mean one group message. `reference` is our id, echoed in
    receipts.
    """

    reference: str
    sender: str
    recipients: tuple[str, ...]
    text: str | None = None
    media_urls: tuple[str, ...] = ()
    high_priority: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A carrier took a message: it is queued there, nothing more. `segments` is what the carrier counts and bills."""

    carrier_message_id: str
    segments: int | None = None


@dataclass(frozen=True, slots=True)
class DeliveryError:
    """Why a carrier says a message failed: our class, code and advice, and the carrier's code and text as they came."""

    error_class: ErrorClass
    code: str
    carrier_code: str
    carrier_text: str | None
    advice: str


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """A carrier's word on one recipient of an outbound message.

    `reference` is the id we sent along, when the carrier echoed one. `status` is one of sent, delivered and failed.
    `occurred_at` is the carrier's clock; None when it could not be read.
    """

    carrier_message_id: str
    carrier_event: str
    recipient: str
    sender: str
    status: Status
    occurred_at: datetime | None
    reference: str | None = None
    segments: int | None = None
    error: DeliveryError | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class InboundMedia:
    """One media file of an inbound message, at the carrier's URL (fetching it needs the account's credentials)."""

    url: str
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A text or MMS that reached one of our numbers (`did`). `recipients` are all numbers of a group, ours included.

    `occurred_at` is the carrier's clock; None when it could not be read.
    """

    carrier_message_id: str
    carrier_event: str
    sender: str
    did: str
    recipients: tuple[str, ...]
    msg_type: MsgType
    text: str
    media: tuple[InboundMedia, ...]
    occurred_at: datetime | None
    segments: int | None = None


@dataclass(frozen=True, slots=True)
class CarrierNotice:
    """Something a carrier told us that is neither a message nor a receipt, for example a number's verification state.

    `known` is False for an event type this version does not know. `facts` are safe to log.
    """

    kind: str
    known: bool
    facts: dict[str, str] = field(default_factory=dict)


CarrierEvent = DeliveryReceipt | InboundMessage | CarrierNotice
