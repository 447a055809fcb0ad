"""How an attempt to send may end: the entry to record. Pure.

An entry that is tried again is due when that is: the scheduler puts it into its lane then. Nothing else brings it back,
whichever way it left.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sms_common.backoff import UNIFORM, BackoffPolicy, Uniform
from sms_common.configuration import FailurePolicy
from sms_common.errors import Code, OutcomeUnknown, SendFailure, TemporaryFailure
from sms_common.events import StatusError
from sms_common.messages import Accepted, ErrorClass, Status
from sms_dispatcher.ledger.entries import LedgerEntry, changed

# Nearly all of it is random, so that messages which failed together do not come back together; never below 1 s.
_RETRY = BackoffPolicy(5.0, 600.0, jitter=0.8)
# A lane that does little but retry has used up its budget of retries.
_OVER_BUDGET = BackoffPolicy(60.0, 60.0, jitter=0.25)
_RESEND_SECONDS = 30.0
# The lane itself waits, behind its circuit breaker. The message only has to be in its queue again by then.
_LANE_WAITS_SECONDS = 1.0
# A carrier whose every answer is lost would otherwise deliver the same text thousands of times in a day.
_MOST_ATTEMPTS_BEFORE_RESEND = 4


@dataclass(frozen=True, slots=True)
class Patience:
    """How long after a lost answer the carrier's list is asked, and how long a receipt is waited for."""

    reconcile_after: timedelta = timedelta(minutes=10)
    receipt_window: timedelta = timedelta(hours=100)

    @property
    def first_check(self) -> timedelta:
        """How long after a lost answer the message is looked at first."""
        return min(self.reconcile_after, self.receipt_window)


def out_of_time(entry: LedgerEntry, now: datetime) -> LedgerEntry | None:
    """The final entry when its time is over before it was sent, or None while there is time."""
    if entry.expires_at is not None and entry.expires_at <= now:
        return _given_up(entry, Status.EXPIRED, Code.EXPIRED, "The text expired before it could be sent.", now)
    if entry.deadline <= now:
        reason = "It could not be handed to the carrier within a day."
        return _given_up(entry, Status.FAILED, Code.RETRIES_EXHAUSTED, reason, now)
    return None


def refused(entry: LedgerEntry, failure: SendFailure, now: datetime) -> LedgerEntry:
    """The carrier will not have it."""
    return _ended(entry, Status.FAILED, now, failure.reason, _error(ErrorClass.PERMANENT, failure))


def submitted(entry: LedgerEntry, accepted: Accepted, now: datetime, receipt_window: timedelta) -> LedgerEntry:
    """The carrier took it; a receipt is waited for."""
    return _ended(entry, Status.SUBMITTED, now).but(
        provider_msg_id=accepted.carrier_message_id,
        segments=accepted.segments or entry.segments,
        due_at=now + receipt_window,
    )


def retry_later(entry: LedgerEntry, failure: TemporaryFailure, delay: float, now: datetime) -> LedgerEntry:
    """Nothing was sent; it is tried again in `delay` seconds, and no later than its time is over."""
    after = _ended(entry, Status.QUEUED, now, failure.reason, _error(ErrorClass.TEMPORARY, failure))
    return after.but(due_at=min(now + timedelta(seconds=delay), entry.deadline))


def outcome_unknown(
    entry: LedgerEntry, failure: SendFailure, policy: FailurePolicy, now: datetime, first_check: timedelta
) -> LedgerEntry:
    """The answer was lost. By policy: wait for the receipt, and after `first_check` ask the carrier's list; send again
    marked as a possible duplicate; or give up. What the carrier said it took is waited for under every policy.
    """
    error = _error(ErrorClass.UNKNOWN, failure)
    if isinstance(failure, OutcomeUnknown) and failure.taken:
        policy = FailurePolicy.HOLD
    if policy is FailurePolicy.FAIL:
        return _ended(entry, Status.FAILED, now, failure.reason, error)
    if policy is FailurePolicy.RESEND and entry.attempt <= _MOST_ATTEMPTS_BEFORE_RESEND:
        again = _ended(entry, Status.QUEUED, now, failure.reason, error)
        due_at = min(now + timedelta(seconds=_RESEND_SECONDS), entry.deadline)
        return again.but(possible_duplicate=True, due_at=due_at)
    unknown = _ended(entry, Status.UNKNOWN, now, failure.reason, error)
    return unknown.but(due_at=now + first_check)


def retry_delay(
    attempt: int, retry_after: float | None, *, within_budget: bool = True, uniform: Uniform = UNIFORM
) -> float:
    """Seconds until the next attempt after so many (1 or more); never below the carrier's wish. A lane that has used up
    its budget of retries has to wait about a minute.
    """
    policy = _RETRY if within_budget else _OVER_BUDGET
    return max(policy.delay(attempt, uniform), retry_after or 0.0)


def delay_while_lane_waits(retry_after: float | None = None) -> float:
    """Seconds until a message is in its lane again that is kept back as a whole."""
    return max(_LANE_WAITS_SECONDS, retry_after or 0.0)


def _given_up(entry: LedgerEntry, status: Status, code: Code, reason: str, now: datetime) -> LedgerEntry:
    return _ended(entry, status, now, reason, StatusError(error_class=ErrorClass.PERMANENT, code=code))


def _ended(
    entry: LedgerEntry, status: Status, now: datetime, reason: str | None = None, error: StatusError | None = None
) -> LedgerEntry:
    return changed(entry, status, now, reason=reason, error=error, occurred_at=now, due_at=None)


def _error(error_class: ErrorClass, failure: SendFailure) -> StatusError:
    return StatusError(
        error_class=error_class, code=failure.code, carrier_code=failure.carrier_code, carrier_text=failure.carrier_text
    )
