"""All failures of the gateway, grouped by what happens next, not by what went wrong.

GatewayError
    Rejection             the request cannot be sent as it is          -> status `rejected` or `expired`, acknowledged
    SendFailure           a carrier call did not end in an acceptance
        TemporaryFailure  nothing was sent, a later try may work       -> tried again later
            Throttled     the carrier asks for less                    -> the whole lane pauses
            Misconfigured credentials or account refused               -> the lane needs manual intervention
        PermanentFailure  nothing was sent and a repeat cannot help    -> the next route, else status `failed`
        OutcomeUnknown    the request left and no answer came          -> status `unknown`, never repeated by default
    WebhookFailure        a carrier's webhook cannot be taken
        WebhookUnauthorized                                            -> 401
        WebhookUnreadable                                              -> 200 and a dead letter
    UnreadableEvent       a broker message that cannot be handled           -> dead letter
    Unavailable           broker, store or config service is down      -> 503, or the work waits unacknowledged

A failure's `code` is stable: it appears in events, logs and metrics and never changes its meaning.
Its `reason` is a sentence for people, without secrets, texts or full numbers.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Code(StrEnum):
    """The gateway's own stable codes. A carrier's folder maps its codes to those under `carrier` here."""

    # the request
    INVALID_REQUEST = "invalid_request"
    UNKNOWN_TENANT = "unknown_tenant"
    TENANT_MISMATCH = "tenant_mismatch"
    ID_CONFLICT = "id_conflict"
    INVALID_NUMBER = "invalid_number"
    INVALID_MEDIA = "invalid_media"
    NO_CONTENT = "no_content"
    TEXT_TOO_LONG = "text_too_long"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    TOO_MANY_MEDIA = "too_many_media"
    GROUP_NOT_SUPPORTED = "group_not_supported"
    TO_OWN_NUMBER = "to_own_number"
    EXPIRED = "expired"
    CANCELED = "canceled"
    CANCEL_TOO_LATE = "cancel_too_late"
    UNKNOWN_MESSAGE = "unknown_message"
    # the configuration
    UNKNOWN_CONFIG = "unknown_config"
    CONFIG_DISABLED = "config_disabled"
    CONFIG_INCOMPLETE = "config_incomplete"
    NO_CONFIG = "no_config"
    NO_SENDER = "no_sender"
    SENDER_NOT_ALLOWED = "sender_not_allowed"
    BLOCKED_BY_RULE = "blocked_by_rule"
    # carrier: the call
    CARRIER_UNREACHABLE = "carrier_unreachable"
    CARRIER_BUSY = "carrier_busy"
    CARRIER_ERROR = "carrier_error"
    CARRIER_REFUSED = "carrier_refused"
    CREDENTIALS_REFUSED = "credentials_refused"
    OUTCOME_UNKNOWN = "outcome_unknown"
    RETRIES_EXHAUSTED = "retries_exhausted"
    BRAND_CAP_REACHED = "brand_cap_reached"
    # carrier: the receipt
    ACCOUNT_NOT_ALLOWED = "account_not_allowed"
    CONTENT_REJECTED = "content_rejected"
    DESTINATION_NOT_ALLOWED = "destination_not_allowed"
    MEDIA_REJECTED = "media_rejected"
    NO_RECEIPT = "no_receipt"
    NOT_ROUTABLE = "not_routable"
    OPTED_OUT = "opted_out"
    RECIPIENT_INVALID = "recipient_invalid"
    RECIPIENT_UNREACHABLE = "recipient_unreachable"
    SENDER_INVALID = "sender_invalid"
    SENDER_NOT_REGISTERED = "sender_not_registered"
    SPAM_BLOCKED = "spam_blocked"
    UNCLASSIFIED = "unclassified"
    VOLUME_LIMIT = "volume_limit"
    GROUP_PARTLY_FAILED = "group_partly_failed"
    # webhooks
    UNKNOWN_WEBHOOK = "unknown_webhook"
    WEBHOOK_UNAUTHORIZED = "webhook_unauthorized"
    WEBHOOK_UNREADABLE = "webhook_unreadable"
    WEBHOOK_NOT_HANDLED = "webhook_not_handled"
    BODY_TOO_LARGE = "body_too_large"
    # broker messages
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    UNKNOWN_TYPE = "unknown_type"
    UNMATCHED_RECEIPT = "unmatched_receipt"
    HANDLER_FAILED = "handler_failed"
    UNROUTED_DID = "unrouted_did"
    ACCOUNT_UNPROVED = "account_unproved"
    # dependencies
    BROKER_UNAVAILABLE = "broker_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"
    CONFIG_UNAVAILABLE = "config_unavailable"


class GatewayError(Exception):
    """The base class: a stable code and a sentence for people."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class Rejection(GatewayError):
    """The request cannot be sent as it is. `field` is the name of the wrong field, as the PBX wrote it."""

    def __init__(self, code: Code, reason: str, *, field: str | None = None) -> None:
        super().__init__(code, reason)
        self.field = field


@dataclass(eq=False, repr=False)
class SendFailure(GatewayError):
    """A call to the carrier that it did not accept. `carrier_code` and `carrier_text` are the carrier's own words.

    `try_next_route`: nothing was sent, and the account or the sender is the reason, not the recipient or the text. So
    another route may be tried.
    """

    code: Code
    reason: str
    _: KW_ONLY
    carrier_code: str | None = None
    carrier_text: str | None = None
    try_next_route: bool = False

    def __post_init__(self) -> None:
        super().__init__(self.code, self.reason)


@dataclass(eq=False, repr=False)
class TemporaryFailure(SendFailure):
    """Nothing was sent; a later try may work. `retry_after`: after how many seconds, if the carrier said so."""

    _: KW_ONLY
    retry_after: float | None = None


class Throttled(TemporaryFailure):
    """The carrier asks for less (429). The account's queue is full, so the whole lane waits, not only this message."""


@dataclass(eq=False, repr=False)
class Misconfigured(TemporaryFailure):
    """Credentials or account are refused (401, 403, no token). The lane keeps its messages and needs
    manual intervention.
    """

    _: KW_ONLY
    try_next_route: bool = True


class PermanentFailure(SendFailure):
    """Nothing was sent and a repeat cannot help."""


@dataclass(eq=False, repr=False)
class OutcomeUnknown(SendFailure):
    """The request left and no usable answer came, so the message may have been sent.

    `taken`: the carrier said that it accepted the message, but its answer has no readable id.
    """

    _: KW_ONLY
    taken: bool = False


class WebhookFailure(GatewayError):
    """A carrier's webhook cannot be taken."""


class WebhookUnauthorized(WebhookFailure):
    """Credentials are missing or wrong, and the configuration asks for them. By itself this is no attack: some carriers
    send credentials only after a challenge.
    """


class WebhookUnreadable(WebhookFailure):
    """The caller is authenticated, but its body cannot be understood. A repeat cannot help."""


class UnreadableEvent(GatewayError):
    """A broker message that cannot be handled.

    `partial` is the decoded body if it is at least a JSON object, so that a status can still be published for it.
    `field` is the name of the first wrong field.
    """

    def __init__(
        self, code: Code, reason: str, *, field: str | None = None, partial: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(code, reason)
        self.field = field
        self.partial: Mapping[str, Any] = MappingProxyType(dict(partial)) if partial else MappingProxyType({})


class Unavailable(GatewayError):
    """A dependency (broker, store, config service) is down, slow or blocked. The work itself is not at fault."""


class Refused(Unavailable):
    """The dependency answers and refuses this one thing. Another try helps only after somebody has corrected it."""
