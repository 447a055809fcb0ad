"""Scripted outcomes of messages, for a number or a tag. Without a script the simulated carrier decides."""

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["ANYONE", "MessageOutcome", "Outcomes", "Script"]

ANYONE = "*"


class MessageOutcome(BaseModel):
    """How the networks treat one recipient of one message, and in which form the carrier reports it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    final: Literal["delivered", "failed", "none"] = Field("delivered", description="The final event; none is silence")
    error_code: int | None = Field(None, ge=1000, le=9999, description="errorCode of message-failed")
    description: str | None = Field(None, description="Text of the final event instead of the usual one")
    progress: bool = Field(True, description="Whether message-sending and message-sent are posted")
    pace: Literal["normal", "late", "receipt_window"] = Field("normal", description="Which setting delays the final")
    delay: float | None = Field(None, ge=0, description="Seconds from the account queue to the final, instead of pace")
    order: Literal["normal", "before_sent", "before_answer"] = Field(
        "normal", description="Post the final before message-sent, or even before the 202 is answered"
    )
    copies: int = Field(1, ge=1, le=10, description="How often each webhook is posted")
    second_final: Literal["delivered", "failed"] | None = Field(None, description="A contradicting final afterwards")
    extra_type: str | None = Field(None, description="An event of this type before the final")
    shape: Literal["array", "object", "batch"] = Field(
        "array", description="Body as usual, as a bare object, or message-sent and the final in one array"
    )
    tag: Literal["echo", "empty", "absent"] = Field("echo", description="How the webhooks repeat the tag")
    time_digits: Literal[0, 3, 6] = Field(6, description="Fraction digits of the times in webhooks")
    carrier_name: str | None = Field(None, description="carrierName of the webhooks")
    rcs: bool = Field(True, description="Whether the handset takes RCS (multi-channel messages)")

    @model_validator(mode="after")
    def _failure_has_a_code(self) -> Self:
        if (self.final == "failed") != (self.error_code is not None):
            raise ValueError("error_code belongs to final 'failed', which needs one")
        return self


class Script(BaseModel):
    """An outcome for a recipient (`to`, or `*` for all) or for a tag, for the next `times` messages or without end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: str | None = None
    tag: str | None = None
    times: int | None = Field(None, ge=1, description="For how many messages it is used; null is without end")
    outcome: MessageOutcome

    @model_validator(mode="after")
    def _names_one_target(self) -> Self:
        if (self.to is None) == (self.tag is None):
            raise ValueError("give either 'to' or 'tag'")
        return self


@dataclass(slots=True)
class _ActiveScript:
    script: Script
    left: int | None


class Outcomes:
    """The scripts in force. A tag's script is used before a number's, and a number's before that for `*`.

    Several scripts for one target are used up in the order they were added.
    """

    def __init__(self) -> None:
        self._scripts: dict[tuple[str, str], list[_ActiveScript]] = {}

    def add(self, script: Script) -> None:
        """Add a script."""
        target = ("to", script.to) if script.to is not None else ("tag", script.tag or "")
        self._scripts.setdefault(target, []).append(_ActiveScript(script, script.times))

    def clear(self) -> None:
        """Forget all scripts."""
        self._scripts.clear()

    def listing(self) -> list[dict[str, object]]:
        """Return the scripts in force, each with how often it will still be used."""
        return [
            {**running.script.model_dump(exclude_none=True, exclude_defaults=True), "left": running.left}
            for queue in self._scripts.values()
            for running in queue
        ]

    def decide(self, recipient: str, tag: str | None) -> MessageOutcome | None:
        """Return what is scripted for this recipient, using up one use of the script, or None."""
        if not self._scripts:
            return None
        targets = [("to", recipient), ("to", ANYONE)]
        for target in [("tag", tag), *targets] if tag is not None else targets:
            scripted = self._take(target)
            if scripted is not None:
                return scripted
        return None

    def _take(self, target: tuple[str, str]) -> MessageOutcome | None:
        queue = self._scripts.get(target)
        if not queue:
            return None
        running = queue[0]
        if running.left is not None:
            running.left -= 1
            if running.left == 0:
                queue.pop(0)
            if not queue:
                del self._scripts[target]
        return running.script.outcome
