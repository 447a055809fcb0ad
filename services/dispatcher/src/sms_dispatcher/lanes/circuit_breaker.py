"""The circuit breaker of a lane: closed while messages may be sent, open for a while after failures, then half open.

A message that waits for an open breaker is not claimed, so it costs no attempt. When the time is over, the breaker is
half open: one message is sent as a trial. A carrier that still refuses is asked once, not by every message that waits.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from types import TracebackType
from typing import Self

import structlog

from sms_common.backoff import BackoffPolicy
from sms_common.errors import Misconfigured, SendFailure, Throttled
from sms_common.telemetry import metrics

log = structlog.get_logger()

_THROTTLED = BackoffPolicy(5.0, 900.0)
_OUTAGE = BackoffPolicy(1.0, 300.0)
# How often a trial finds out whether somebody has corrected the account at the carrier. A change of the configuration
# closes the breaker at once.
_INTERVENTION_TRIAL_SECONDS = 60.0
# An outage is this: at least so many answers within the window, and this share of them are failures that are not the
# message's fault.
_WINDOW_SECONDS = 30.0
_FEWEST_ANSWERS = 20
_SHARE_OF_FAILURES = 0.5
# It is also this many failures in a row: a carrier that cannot be reached fails everything.
_IN_A_ROW = 5

# One retry for every five first attempts, and a few for lanes with little traffic.
_RETRIES_PER_ATTEMPT = 0.2
_MOST_RETRIES = 20.0


class BreakerState(StrEnum):
    """What the circuit breaker of a lane does. The pattern knows closed, half open and open; the last three here are
    open.

    `paused` ends by itself. `needs_intervention` ends when the configuration changes, or when a trial succeeds.
    `disabled` ends when the configuration is enabled. The order is that of the numbers in the metric `lane_state`.
    """

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    PAUSED = "paused"
    NEEDS_INTERVENTION = "needs_intervention"
    DISABLED = "disabled"


_STATE_NUMBERS = {state: float(number) for number, state in enumerate(BreakerState)}


class CircuitBreaker:
    """One lane's circuit breaker. Times are seconds of the monotonic clock."""

    def __init__(self, config_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._config_id = config_id
        self._clock = clock
        self._open_until: float | None = None
        self._trial: Permit | None = None
        self._stops = 0
        self._answers: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._in_a_row = 0
        self._retries = _MOST_RETRIES / 2
        self._changed = asyncio.Event()
        self._disabled = False
        self.cause: SendFailure | None = None

    @property
    def state(self) -> BreakerState:
        """What the breaker does now."""
        if self._disabled:
            return BreakerState.DISABLED
        if self._open_until is None:
            return BreakerState.CLOSED
        if self._trial is not None or self._open_until <= self._clock():
            return BreakerState.HALF_OPEN
        return BreakerState.NEEDS_INTERVENTION if isinstance(self.cause, Misconfigured) else BreakerState.PAUSED

    @property
    def is_closed(self) -> bool:
        """Whether every message may be sent."""
        return self._open_until is None and not self._disabled

    @property
    def seconds_left(self) -> float:
        """How long the breaker stays open; 0 when it is closed or half open."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - self._clock())

    def pause(self, seconds: float, cause: SendFailure) -> None:
        """Open the breaker for `seconds` from now, or for longer if it was to stay open for longer."""
        self._open_until = max(self._open_until or 0.0, self._clock() + seconds)
        self.cause = cause
        self._publish_state()

    def close(self) -> None:
        """Let every message be sent from now on."""
        self._open_until, self._trial, self._stops, self.cause = None, None, 0, None
        self._clear_answers()
        self._publish_state()

    def disable(self, disabled: bool) -> None:  # noqa: FBT001  # it is the state, not a mode of the call
        """Stop the lane, or not, as the configuration says."""
        if disabled != self._disabled:
            self._disabled = disabled
            self._publish_state()

    def _publish_state(self) -> None:
        metrics.lane_state.labels(self._config_id).set(_STATE_NUMBERS[self.state])
        self.wake()

    def wake(self) -> None:
        """Let every waiting message check again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def try_acquire(self) -> "Permit | None":
        """A permit to send one message; None while the breaker is open, or half open while a trial is in flight."""
        if self.is_closed:
            return Permit(self)
        if self._disabled or self._trial is not None or self.seconds_left > 0:
            return None
        self._trial = Permit(self)
        return self._trial

    async def wait_for_change(self, within: float) -> None:
        """Return on `wake`, when the breaker becomes half open, or after `within` seconds."""
        left = self.seconds_left
        try:
            async with asyncio.timeout(min(within, left) if left > 0 else within):
                await self._changed.wait()
        except TimeoutError:
            return

    # -- what a permit asks and reports

    def allows(self, permit: "Permit") -> bool:
        """Whether a permit that was given before is still valid."""
        return self.is_closed or (permit is self._trial and not self._disabled)

    def answered(self, permit: "Permit") -> None:
        """The carrier accepted the message, or refused this very message: it works."""
        self._count(failed=False)
        if permit is self._trial:
            self.close()
        elif self.is_closed:
            self._stops = 0

    def failed(self, permit: "Permit", failure: SendFailure) -> None:
        """The carrier failed in a way that concerns every message. The breaker opens if that is enough."""
        was_trial = permit is self._trial
        if was_trial:
            self._trial = None
        if isinstance(failure, Throttled):
            self._throttled(failure)
        elif isinstance(failure, Misconfigured):
            if not self.seconds_left:
                log.error(
                    "lane.needs_intervention", config_id=self._config_id, code=failure.code, reason=failure.reason
                )
            self.pause(failure.retry_after or _INTERVENTION_TRIAL_SECONDS, failure)
        elif was_trial or self._count(failed=True):
            self._carrier_failing(failure)

    def released(self, permit: "Permit") -> None:
        """Nothing more is done with a permit. After a trial without a result another message is the next trial."""
        if permit is self._trial:
            self._trial = None
            self._publish_state()

    def _throttled(self, failure: Throttled) -> None:
        """Requests that were sent before the breaker opened are refused with the first one. They count once."""
        wish = failure.retry_after or 0.0
        if self.seconds_left > 0:
            self.pause(wish, failure)
            return
        self.pause(max(self._next_pause(_THROTTLED), wish), failure)

    def _carrier_failing(self, failure: SendFailure) -> None:
        if self.seconds_left > 0:
            return
        seconds = self._next_pause(_OUTAGE)
        log.warning("lane.carrier_unavailable", config_id=self._config_id, code=failure.code, seconds=round(seconds, 1))
        self._clear_answers()
        self.pause(seconds, failure)

    def _clear_answers(self) -> None:
        self._answers.clear()
        self._failures = self._in_a_row = 0

    def _next_pause(self, policy: BackoffPolicy) -> float:
        """Seconds to stay open. They grow while the carrier goes on refusing."""
        self._stops += 1
        return policy.delay(self._stops)

    def _count(self, *, failed: bool) -> bool:
        """Count an answer. Returns whether the answers of the window mean an outage."""
        now = self._clock()
        self._answers.append((now, failed))
        self._failures += failed
        self._in_a_row = self._in_a_row + 1 if failed else 0
        while self._answers[0][0] < now - _WINDOW_SECONDS:
            self._failures -= self._answers.popleft()[1]
        enough = len(self._answers) >= _FEWEST_ANSWERS
        often = enough and self._failures >= _SHARE_OF_FAILURES * len(self._answers)
        return failed and (often or self._in_a_row >= _IN_A_ROW)

    # -- the budget of retries

    def earn_retry(self) -> None:
        """Count a first attempt."""
        self._retries = min(self._retries + _RETRIES_PER_ATTEMPT, _MOST_RETRIES)

    def spend_retry(self) -> bool:
        """Whether a retry may follow soon. When a lane mostly retries, its retries must come later."""
        if self._retries < 1:
            metrics.retries_postponed_total.labels(self._config_id).inc()
            return False
        self._retries -= 1
        return True


class Permit:
    """Allows one message to be sent. As a context manager it is released at the end."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self.breaker = breaker

    def answered(self) -> None:
        """Report that the carrier accepted the message, or refused this very message."""
        self.breaker.answered(self)

    def failed(self, failure: SendFailure) -> None:
        """Report a failure that concerns every message."""
        self.breaker.failed(self, failure)

    @property
    def is_valid(self) -> bool:
        """Whether the message may still be sent: the breaker has not opened meanwhile."""
        return self.breaker.allows(self)

    def release(self) -> None:
        """Report that nothing more is done with this permit."""
        self.breaker.released(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
