"""The gate of a lane, which is its circuit breaker: open, shut for a while, or ajar for one message that tries.

A shut lane costs no attempts: what waits before it is not claimed. Every stop ends with a single message that tries,
whatever stopped the lane, so that a carrier that still refuses is asked once and not by all who waited.
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
_OUT = BackoffPolicy(1.0, 300.0)
# How often one message asks whether a person has mended the account at the carrier; a change on our side opens at once.
_PERSON_SECONDS = 60.0
# An outage: of at least so many answers within the window, so many were failures that say nothing of the message.
_WINDOW_SECONDS = 30.0
_FEWEST_ANSWERS = 20
_SHARE_OF_FAILURES = 0.5
# Or so many failures one after the other: a carrier that cannot be reached fails everything at once.
_IN_A_ROW = 5

# A retry for every five first attempts, and a few for quiet lanes.
_RETRIES_PER_ATTEMPT = 0.2
_MOST_RETRIES = 20.0


class BreakerState(StrEnum):
    """What a gate does. `disabled` and `person` open by a change of configuration; `person` also asks by itself."""

    OPEN = "open"
    TRYING = "trying"
    PAUSED = "paused"
    PERSON = "person"
    DISABLED = "disabled"


_STATE_NUMBERS = {state: float(number) for number, state in enumerate(BreakerState)}


class CircuitBreaker:
    """One lane's gate. Times are of the monotonic clock, in seconds."""

    def __init__(self, config_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._config_id = config_id
        self._clock = clock
        self._until: float | None = None
        self._trying: Permit | None = None
        self._times = 0
        self._answers: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._in_a_row = 0
        self._retries = _MOST_RETRIES / 2
        self._changed = asyncio.Event()
        self._disabled = False
        self.why: SendFailure | None = None

    @property
    def state(self) -> BreakerState:
        """What the gate does now."""
        if self._disabled:
            return BreakerState.DISABLED
        if self._until is None:
            return BreakerState.OPEN
        if self._trying is not None or self._until <= self._clock():
            return BreakerState.TRYING
        return BreakerState.PERSON if isinstance(self.why, Misconfigured) else BreakerState.PAUSED

    @property
    def is_open(self) -> bool:
        """Whether everything may pass."""
        return self._until is None and not self._disabled

    @property
    def seconds_left(self) -> float:
        """For how long the gate stays shut; 0 when it is open or ajar."""
        return 0.0 if self._until is None else max(0.0, self._until - self._clock())

    def pause(self, seconds: float, why: SendFailure) -> None:
        """Shut for `seconds` from now, or longer if it was to be shut longer."""
        self._until = max(self._until or 0.0, self._clock() + seconds)
        self.why = why
        self._show()

    def open(self) -> None:
        """Let everything pass from now on."""
        self._until, self._trying, self._times, self.why = None, None, 0, None
        self._forget()
        self._show()

    def disable(self, disabled: bool) -> None:  # noqa: FBT001  # it is the state, not a mode of the call
        """Follow the configuration's switch."""
        if disabled != self._disabled:
            self._disabled = disabled
            self._show()

    def _show(self) -> None:
        metrics.lane_state.labels(self._config_id).set(_STATE_NUMBERS[self.state])
        self.wake()

    def wake(self) -> None:
        """Have everyone who waits look again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def enter(self) -> "Permit | None":
        """A passage through the gate, or None while it is shut or somebody else tries."""
        if self.is_open:
            return Permit(self)
        if self._disabled or self._trying is not None or self.seconds_left > 0:
            return None
        self._trying = Permit(self)
        return self._trying

    async def changes(self, within: float) -> None:
        """Return when somebody wakes those who wait, when the gate comes ajar, or after `within` seconds."""
        left = self.seconds_left
        try:
            async with asyncio.timeout(min(within, left) if left > 0 else within):
                await self._changed.wait()
        except TimeoutError:
            return

    # -- what a passage asks and reports

    def lets(self, passage: "Permit") -> bool:
        """Whether a passage given before still holds."""
        return self.is_open or (passage is self._trying and not self._disabled)

    def answered(self, passage: "Permit") -> None:
        """The carrier took the message, or refused it for what it is."""
        self._count(failed=False)
        if passage is self._trying:
            self.open()
        elif self.is_open:
            self._times = 0

    def failed(self, passage: "Permit", failure: SendFailure) -> None:
        """The carrier did not do its work for anyone: the lane waits if it must."""
        trying = passage is self._trying
        if trying:
            self._trying = None
        if isinstance(failure, Throttled):
            self._throttled(failure)
        elif isinstance(failure, Misconfigured):
            if not self.seconds_left:
                log.error("lane.needs_a_person", config_id=self._config_id, code=failure.code, reason=failure.reason)
            self.pause(failure.retry_after or _PERSON_SECONDS, failure)
        elif trying or self._count(failed=True):
            self._out(failure)

    def left(self, passage: "Permit") -> None:
        """A passage ended; if it tried and learned nothing, somebody else may try."""
        if passage is self._trying:
            self._trying = None
            self._show()

    def _throttled(self, failure: Throttled) -> None:
        """Requests that left before the gate was shut are refused with the first one and make it no worse."""
        wish = failure.retry_after or 0.0
        if self.seconds_left > 0:
            self.pause(wish, failure)
            return
        self.pause(max(self._grow(_THROTTLED), wish), failure)

    def _out(self, failure: SendFailure) -> None:
        if self.seconds_left > 0:
            return
        seconds = self._grow(_OUT)
        log.warning("lane.carrier_is_out", config_id=self._config_id, code=failure.code, seconds=round(seconds, 1))
        self._forget()
        self.pause(seconds, failure)

    def _forget(self) -> None:
        self._answers.clear()
        self._failures = self._in_a_row = 0

    def _grow(self, policy: BackoffPolicy) -> float:
        """How long to pause: longer while the carrier goes on refusing."""
        self._times += 1
        return policy.delay(self._times)

    def _count(self, *, failed: bool) -> bool:
        """Note an answer; whether those of the window now say that the carrier is out."""
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
        """A first attempt was made."""
        self._retries = min(self._retries + _RETRIES_PER_ATTEMPT, _MOST_RETRIES)

    def spend_retry(self) -> bool:
        """Whether a retry may come soon; when most of what a lane does is retries, they must come late."""
        if self._retries < 1:
            metrics.retries_postponed_total.labels(self._config_id).inc()
            return False
        self._retries -= 1
        return True


class Permit:
    """One message on its way through a gate. As a context it ends by itself."""

    def __init__(self, gate: CircuitBreaker) -> None:
        self.gate = gate

    def answered(self) -> None:
        """See CircuitBreaker.answered."""
        self.gate.answered(self)

    def failed(self, failure: SendFailure) -> None:
        """See CircuitBreaker.failed."""
        self.gate.failed(self, failure)

    @property
    def holds(self) -> bool:
        """Whether it may still be gone: the gate has not been shut meanwhile."""
        return self.gate.lets(self)

    def end(self) -> None:
        """See CircuitBreaker.left."""
        self.gate.left(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
