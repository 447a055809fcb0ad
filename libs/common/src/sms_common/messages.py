"""The words of messaging that every module shares: a message's status and its rank, and what is exchanged with a
carrier.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """The status of an outbound message. A status of lower `rank` never replaces one of higher rank."""

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
        """How far a message has got. Statuses of equal rank never replace each other."""
        return _RANKS[self]

    @property
    def final(self) -> bool:
        """Whether no further status follows (only `undetermined` may be upgraded once)."""
        return _RANKS[self] >= FINAL_RANK

    @property
    def delivery(self) -> str | None:
        """PortSIP's word for this status in its message records, or None while nothing has been sent."""
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

# PortSIP's word for an inbound message.
DELIVERY_RECEIVED = "RECV"


class MsgType(StrEnum):
    """PortSIP's `msg_type`."""

    SMS = "SMS"
    MMS = "MMS"


class Category(StrEnum):
    """Why a text is sent. Marketing uses the bulk lane, so that it never delays a conversation."""

    CONVERSATIONAL = "conversational"
    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"
    OTP = "otp"

    @property
    def bulk(self) -> bool:
        """Whether this category uses the bulk lane."""
        return self is Category.MARKETING


class ErrorClass(StrEnum):
    """What an error means for the sender: whether the same text may be sent again later, and who refused it."""

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
    """A carrier accepted a message: it is queued there, no more. `segments` is what the carrier counts and bills."""

    carrier_message_id: str
    segments: int | None = None


@dataclass(frozen=True, slots=True)
class DeliveryError:
    """Why a message failed: our class, code and advice, and the carrier's own code and text."""

    error_class: ErrorClass
    code: str
    carrier_code: str
    carrier_text: str | None
    advice: str


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """What a carrier reports about one recipient of an outbound message.

    `reference` is the id that we sent along, if the carrier repeats it. `status` is one of sent, delivered and failed.
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
    """An event of a carrier that is neither a message nor a receipt, for example a number's verification state.

    `known` is False for an event type this version does not know. `facts` are safe to log.
    """

    kind: str
    known: bool
    facts: dict[str, str] = field(default_factory=dict)


CarrierEvent = DeliveryReceipt | InboundMessage | CarrierNotice
