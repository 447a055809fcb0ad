"""How an attempt to send may end: the entry to record, and when it comes back to its lane, if it does. Pure."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sms_common.configuration import FailurePolicy
from sms_common.errors import Code, OutcomeUnknown, SendFailure, TemporaryFailure
from sms_common.events import StatusError
from sms_common.messages import Accepted, ErrorClass, Status
from sms_dispatcher.ledger.entries import LedgerEntry, changed

_FIRST_RETRY_SECONDS = 5.0
_LONGEST_RETRY_SECONDS = 600.0
_LATE_RETRY_SECONDS = 60.0
_RESEND_AFTER_SECONDS = 30.0
# A carrier whose every answer is lost would otherwise deliver the same text thousands of times in a day.
_MOST_ATTEMPTS_BEFORE_RESEND = 4


@dataclass(frozen=True, slots=True)
class Patience:
    """How long after a lost answer the carrier's list is asked, and how long a receipt is waited for."""

    reconcile_after: timedelta = timedelta(minutes=10)
    receipt_window: timedelta = timedelta(hours=100)

    @property
    def first_look(self) -> timedelta:
        """When somebody looks after a message whose answer was lost."""
        return min(self.reconcile_after, self.receipt_window)


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The entry to record, and in how many seconds it comes back to its lane; None: it does not."""

    after: LedgerEntry
    again_in: float | None = None


def over(entry: LedgerEntry, now: datetime) -> AttemptResult | None:
    """The ending of an entry whose time is over before it was sent, or None while there is time."""
    if entry.expires_at is not None and entry.expires_at <= now:
        return ended(entry, Status.EXPIRED, Code.EXPIRED, "The text expired before it could be sent.", now)
    if entry.deadline <= now:
        reason = "It could not be handed to the carrier within a day."
        return ended(entry, Status.FAILED, Code.RETRIES_EXHAUSTED, reason, now)
    return None


def ended(entry: LedgerEntry, status: Status, code: Code, reason: str, now: datetime) -> AttemptResult:
    """It ends unsent, by our own decision."""
    error = StatusError(error_class=ErrorClass.PERMANENT, code=code)
    return AttemptResult(_changed(entry, status, now, reason, error))


def refused(entry: LedgerEntry, failure: SendFailure, now: datetime) -> AttemptResult:
    """The carrier will not have it."""
    return AttemptResult(_changed(entry, Status.FAILED, now, failure.reason, _error(ErrorClass.PERMANENT, failure)))


def submitted(entry: LedgerEntry, accepted: Accepted, now: datetime, receipt_window: timedelta) -> AttemptResult:
    """The carrier took it; a receipt is waited for."""
    after = _changed(entry, Status.SUBMITTED, now).but(
        provider_msg_id=accepted.carrier_message_id,
        segments=accepted.segments or entry.segments,
        due_at=now + receipt_window,
    )
    return AttemptResult(after)


def waits(entry: LedgerEntry, failure: TemporaryFailure, again_in: float, now: datetime) -> AttemptResult:
    """Nothing was sent; it is tried again."""
    after = _changed(entry, Status.QUEUED, now, failure.reason, _error(ErrorClass.TEMPORARY, failure))
    return AttemptResult(after.but(due_at=entry.deadline), again_in)


def lost(
    entry: LedgerEntry, failure: SendFailure, policy: FailurePolicy, now: datetime, first_look: timedelta
) -> AttemptResult:
    """The answer was lost. By policy: wait for the receipt, and after `first_look` ask the carrier's list; send again
    marked as a possible duplicate; or give up. What the carrier said it took is waited for under every policy.
    """
    error = _error(ErrorClass.UNKNOWN, failure)
    if isinstance(failure, OutcomeUnknown) and failure.taken:
        policy = FailurePolicy.HOLD
    if policy is FailurePolicy.FAIL:
        return AttemptResult(_changed(entry, Status.FAILED, now, failure.reason, error))
    if policy is FailurePolicy.RESEND and entry.attempt <= _MOST_ATTEMPTS_BEFORE_RESEND:
        again = _changed(entry, Status.QUEUED, now, failure.reason, error)
        return AttemptResult(again.but(possible_duplicate=True, due_at=entry.deadline), _RESEND_AFTER_SECONDS)
    unknown = _changed(entry, Status.UNKNOWN, now, failure.reason, error)
    return AttemptResult(unknown.but(due_at=now + first_look))


def backoff(attempt: int, retry_after: float | None, *, soon: bool = True) -> float:
    """Seconds until the next attempt: full jitter, so that messages which failed together do not come back together;
    never below the carrier's wish. Not `soon`: a minute later, since the lane does little but retry.
    """
    if not soon:
        return max(_LATE_RETRY_SECONDS, retry_after or 0.0)
    span = min(_FIRST_RETRY_SECONDS * 2.0 ** min(attempt - 1, 10), _LONGEST_RETRY_SECONDS)
    return max(random.uniform(0, span), retry_after or 0.0)  # noqa: S311  # jitter, not a secret


def _changed(
    entry: LedgerEntry, status: Status, now: datetime, reason: str | None = None, error: StatusError | None = None
) -> LedgerEntry:
    return changed(entry, status, now, reason=reason, error=error, occurred_at=now, due_at=None)


def _error(error_class: ErrorClass, failure: SendFailure) -> StatusError:
    return StatusError(
        error_class=error_class, code=failure.code, carrier_code=failure.carrier_code, carrier_text=failure.carrier_text
    )
