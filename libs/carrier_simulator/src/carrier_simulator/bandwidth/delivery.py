"""What happens after a message leaves the account queue: refusals of the network, outcomes, and their status events."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from carrier_simulator.bandwidth.codes import DESCRIPTIONS
from carrier_simulator.bandwidth.events import status_event
from carrier_simulator.bandwidth.media_fetch import MediaFetcher
from carrier_simulator.carrier.outcomes import MessageOutcome
from carrier_simulator.carrier.records import ArrivedMessage, MessageRecipient, Status
from carrier_simulator.state import SimulatorState
from carrier_simulator.webhooks.requests import Webhook, webhook_to

__all__ = ["NetworkDelivery", "OptOuts"]

EXPIRED = 4360
SENDER_NOT_ALLOWED = 4403
SENDER_NOT_OF_ACCOUNT = 4407
NO_RCS = 4753
OPTED_OUT = 4775
UNKNOWN = 5999

_CARRIER_DIGITS = "679"  # the second digit says who reports: 6 and 7 are the carrier; 9902 is its missing receipt
_STATUS_BY_EVENT: dict[str, Status] = {
    "message-sending": "SENDING",
    "message-sent": "SENT",
    "message-delivered": "DELIVERED",
}


class OptOuts:
    """Pairs of a toll-free number and a handset that wrote STOP; the toll-free network itself keeps them."""

    def __init__(self) -> None:
        self._pairs: set[tuple[str, str]] = set()

    def hear(self, toll_free: str, handset: str, text: str) -> None:
        """Act on an inbound text to a toll-free number if it consists of a keyword, in upper or lower case."""
        keyword = text.upper()
        if keyword == "STOP":
            self._pairs.add((toll_free, handset))
        elif keyword in ("START", "UNSTOP"):
            self._pairs.discard((toll_free, handset))

    def blocks(self, sender: str, recipient: str) -> bool:
        """Return whether the recipient has opted out of this sender."""
        return (sender, recipient) in self._pairs

    def clear(self) -> None:
        """Forget every pair."""
        self._pairs.clear()


@dataclass(frozen=True, slots=True)
class _Step:
    """One event about one recipient, `due` at an epoch time; `text` replaces its usual description."""

    kind: str
    due: float
    error_code: int | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class _Course:
    """The remaining events about one recipient of one message; dropped if `generation` is no longer the current one."""

    arrival: ArrivedMessage
    recipient: MessageRecipient
    steps: deque[_Step]
    generation: int


class NetworkDelivery:
    """Takes messages from the account queue and posts their status events to the customer.

    Events about one recipient are posted in order: the next one is posted when it is due and the first try of the
    previous one has ended. Retries run in parallel with newer events, so, as with Bandwidth, order is not guaranteed.
    """

    def __init__(self, state: SimulatorState, fetcher: MediaFetcher) -> None:
        self._settings = state.settings
        self._clock = state.clock
        self._accounts = state.accounts
        self._webhooks = state.webhooks
        self._fetcher = fetcher
        self._fetches: set[asyncio.Task[None]] = set()
        self._generation = 0
        self.opt_outs = OptOuts()

    async def stop(self) -> None:
        """Cancel the media fetches in progress."""
        fetches = list(self._fetches)
        self.clear()
        await asyncio.gather(*fetches, return_exceptions=True)

    def clear(self) -> None:
        """Forget opt-outs and every message in delivery."""
        self._generation += 1
        self.opt_outs.clear()
        for fetch in self._fetches:
            fetch.cancel()

    async def before_answer(self, arrival: ArrivedMessage) -> None:
        """Post, and wait for, the final events that come before the 202 is answered."""
        for recipient in arrival.recipients:
            if recipient.outcome.order == "before_answer" and recipient.outcome.final != "none":
                over = asyncio.Event()
                self._post(_final(recipient.outcome, self._clock.time()), arrival, recipient, over.set)
                await over.wait()

    def dequeue(self, arrival: ArrivedMessage) -> None:
        """Send a message that leaves the account queue."""
        code = _choose_channel(arrival) if arrival.channels else None
        self._renew_application(arrival)
        if not arrival.application.linked:
            return  # accepted, but never sent and never reported, as Bandwidth's own client warns
        if arrival.media and arrival.kind == "mms" and code is None:
            fetch = asyncio.get_running_loop().create_task(self._fetch_and_send(arrival))
            self._fetches.add(fetch)
            fetch.add_done_callback(self._fetches.discard)
        else:
            self._send(arrival, code)

    async def _fetch_and_send(self, arrival: ArrivedMessage) -> None:
        self._send(arrival, await self._fetcher.check(arrival.account_id, arrival.sender, arrival.media))

    def _send(self, arrival: ArrivedMessage, code: int | None) -> None:
        now = self._clock.time()
        code = self._refusal(arrival, now) or code
        for recipient in arrival.recipients:
            blocked = OPTED_OUT if self.opt_outs.blocks(arrival.sender, recipient.number) else None
            self._go(
                _Course(arrival, recipient, self._plan(arrival, recipient, code or blocked, now), self._generation)
            )

    def _renew_application(self, arrival: ArrivedMessage) -> None:
        """Use the application as it is now: its URLs may have changed since the message was accepted."""
        account = self._accounts.get(arrival.account_id)
        current = None if account is None else account.application(arrival.application.application_id)
        arrival.application = current or arrival.application

    def _refusal(self, arrival: ArrivedMessage, now: float) -> int | None:
        """Return the error code of a message that is not sent at all, else None."""
        if arrival.expires_at is not None and arrival.expires_at <= now:
            return EXPIRED
        numbers = arrival.application.numbers
        if not numbers or arrival.channel == "RBM" or arrival.sender in numbers:
            return None
        account = self._accounts.get(arrival.account_id)
        return SENDER_NOT_ALLOWED if account is not None and account.owns(arrival.sender) else SENDER_NOT_OF_ACCOUNT

    def _plan(self, arrival: ArrivedMessage, recipient: MessageRecipient, code: int | None, now: float) -> deque[_Step]:
        if code is not None:
            return deque([_Step("message-failed", now, code, DESCRIPTIONS[code])])
        return deque(self._steps(arrival, recipient.outcome, now))

    def _steps(self, arrival: ArrivedMessage, outcome: MessageOutcome, now: float) -> Iterator[_Step]:
        """Return the events about one recipient in the order they are to be posted."""
        final_at = now + self._final_delay(outcome)
        final = _final(outcome, final_at)
        if outcome.final != "none" and outcome.order == "before_sent":
            yield final
        if outcome.progress and arrival.kind == "mms":
            yield _Step("message-sending", now)
        if outcome.progress and outcome.shape != "batch":
            yield _Step("message-sent", now + self._settings.sent_delay)
        if outcome.extra_type is not None:
            yield _Step(outcome.extra_type, final_at)
        if outcome.final != "none" and outcome.order == "normal":
            yield final
        if outcome.final == "delivered" and arrival.channel == "RBM":
            yield _Step("message-read", final_at)
        if outcome.second_final == "delivered":
            yield _Step("message-delivered", final_at)
        elif outcome.second_final == "failed":
            yield _Step("message-failed", final_at, UNKNOWN, DESCRIPTIONS[UNKNOWN])

    def _final_delay(self, outcome: MessageOutcome) -> float:
        if outcome.delay is not None:
            return outcome.delay
        if outcome.pace == "late":
            return self._settings.late_delay
        return self._settings.final_delay if outcome.pace == "normal" else self._settings.receipt_window

    def _go(self, course: _Course) -> None:
        """Post the next event when it is due, and continue once its first try has ended."""
        if not course.steps or course.generation != self._generation:
            return
        if course.steps[0].due > self._clock.time():
            self._clock.call_at(course.steps[0].due, lambda: self._go(course))
            return
        self._post(course.steps.popleft(), course.arrival, course.recipient, lambda: self._go(course))

    def _post(
        self, step: _Step, arrival: ArrivedMessage, recipient: MessageRecipient, then: Callable[[], None]
    ) -> None:
        _note(step, recipient)
        webhook = self._webhook(step, arrival, recipient)
        if webhook is None:
            then()
            return
        self._submit(webhook, recipient.outcome.copies, then)

    def _submit(self, webhook: Webhook, copies: int, then: Callable[[], None]) -> None:
        """Have the webhook posted `copies` times, one first try after the other."""
        another = replace(webhook) if copies > 1 else None
        webhook.first_try_over = then if another is None else lambda: self._submit(another, copies - 1, then)
        self._webhooks.submit(webhook)

    def _webhook(self, step: _Step, arrival: ArrivedMessage, recipient: MessageRecipient) -> Webhook | None:
        """Return the webhook of an event, unless the customer did not ask for its type or has no URL for it."""
        application, outcome = arrival.application, recipient.outcome
        if step.kind not in application.events and step.kind != outcome.extra_type:
            return None
        now = self._clock.time()
        event = status_event(step.kind, arrival, recipient, now, error_code=step.error_code, text=step.text)
        document: Any = event if outcome.shape == "object" else [event]
        if outcome.shape == "batch" and step.kind in ("message-delivered", "message-failed"):
            document.insert(0, status_event("message-sent", arrival, recipient, now))
        tag, number = arrival.tag, recipient.number
        return webhook_to(application, "outbound", document, kind=step.kind, message_id=arrival.id, to=number, tag=tag)


def _final(outcome: MessageOutcome, due: float) -> _Step:
    if outcome.final == "failed":
        return _Step(
            "message-failed",
            due,
            outcome.error_code,
            outcome.description or DESCRIPTIONS.get(outcome.error_code or 0, "unknown-error"),
        )
    return _Step("message-delivered", due, text=outcome.description)


def _choose_channel(arrival: ArrivedMessage) -> int | None:
    """Use the first channel that the handset supports; return an error code if there is none."""
    rcs = arrival.recipients[0].outcome.rcs
    chosen = next((channel for channel in arrival.channels if rcs or channel.name != "RBM"), None)
    taken = chosen or arrival.channels[0]
    arrival.application, arrival.sender, arrival.channel = taken.application, taken.sender, taken.name
    arrival.text, arrival.media, arrival.segments, arrival.kind = taken.text, taken.media, taken.segments, taken.kind
    return None if chosen is not None else NO_RCS


def _note(step: _Step, recipient: MessageRecipient) -> None:
    """Keep the recipient's status as the message list shows it; the first final one stays."""
    if recipient.status in ("DELIVERED", "FAILED", "UNDELIVERED"):
        return
    if step.error_code is not None:
        recipient.error_code = step.error_code
        recipient.status = "UNDELIVERED" if str(step.error_code)[1] in _CARRIER_DIGITS else "FAILED"
    else:
        recipient.status = _STATUS_BY_EVENT.get(step.kind, recipient.status)
