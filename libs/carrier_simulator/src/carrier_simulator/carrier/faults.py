"""Faults of the carrier that can be switched on: at which call, at which stage, how often, and of which kind."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Endpoint", "Fault", "Faults", "Subject"]

Endpoint = Literal["messages", "multichannel", "list", "token", "media"]
Stage = Literal["before", "after"]


class Fault(BaseModel):
    """One fault in force.

    `before` applies before the request is processed. `after` applies once it was processed (the message is accepted,
    the token issued), so only the answer is bad.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: Endpoint = "messages"
    stage: Stage = "before"
    kind: Literal["error", "html", "empty", "cut", "cut_midway", "slow", "queue_full", "unauthorized", "not_found"]
    times: int | None = Field(1, ge=1, description="How often it occurs; null is without end")
    skip: int = Field(0, ge=0, description="How many matching calls succeed first")
    probability: float = Field(1, gt=0, le=1, description="Probability that it occurs at a matching call")
    status: int | None = Field(None, ge=400, le=599, description="Status of error (500), html (502) or empty (503)")
    delay: float = Field(0, ge=0, description="Seconds before the answer; also the delay of `slow`")
    retry_after: str | None = Field(None, description="Retry-After header of the answer")
    account_id: str | None = Field(None, description="Only calls for this account")
    to: str | None = Field(None, description="Only messages to this recipient")
    sender: str | None = Field(None, description="Only messages from this sender")
    tag: str | None = Field(None, description="Only messages with this tag")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a call is about, as far as a fault can be limited to it."""

    account_id: str | None = None
    to: tuple[str, ...] = ()
    sender: str | None = None
    tag: str | None = None


@dataclass(slots=True)
class _ActiveFault:
    fault: Fault
    chance: random.Random
    left: int | None
    to_skip: int
    struck: int = 0

    def strikes(self, subject: Subject) -> bool:
        if not _concerns(self.fault, subject):
            return False
        if self.to_skip > 0:
            self.to_skip -= 1
            return False
        if self.fault.probability < 1 and self.chance.random() >= self.fault.probability:
            return False
        self.struck += 1
        if self.left is not None:
            self.left -= 1
        return True


class Faults:
    """The faults in force, each with its own random sequence, so that a seed makes a run repeatable."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._added = 0
        self._running: list[_ActiveFault] = []

    def __bool__(self) -> bool:
        return bool(self._running)

    def __iter__(self) -> Iterator[Fault]:
        return iter([running.fault for running in self._running])

    def add(self, fault: Fault) -> None:
        """Switch a fault on."""
        chance = random.Random(self._seed + self._added)  # noqa: S311 - a repeatable sequence is the point
        self._added += 1
        self._running.append(_ActiveFault(fault, chance, fault.times, fault.skip))

    def clear(self) -> None:
        """Switch every fault off and restart the random sequences."""
        self._running.clear()
        self._added = 0

    def listing(self) -> list[dict[str, object]]:
        """Return the faults in force, each with how often it occurred and how often it still will."""
        return [
            {**running.fault.model_dump(exclude_none=True), "struck": running.struck, "left": running.left}
            for running in self._running
        ]

    def take(self, endpoint: Endpoint, stage: Stage, subject: Subject) -> Fault | None:
        """Return the first fault that applies to this call at this stage, or None."""
        for running in self._running:
            fault = running.fault
            if fault.endpoint == endpoint and fault.stage == stage and running.strikes(subject):
                if running.left == 0:
                    self._running.remove(running)
                return fault
        return None


def _concerns(fault: Fault, subject: Subject) -> bool:
    return (
        (fault.account_id is None or fault.account_id == subject.account_id)
        and (fault.to is None or fault.to in subject.to)
        and (fault.sender is None or fault.sender == subject.sender)
        and (fault.tag is None or fault.tag == subject.tag)
    )
