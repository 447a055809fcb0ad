"""What becomes of a message for which nothing is scripted: the last four digits of the recipient decide."""

from types import MappingProxyType

from carrier_simulator.bandwidth.codes import DESCRIPTIONS
from carrier_simulator.carrier.outcomes import MessageOutcome

__all__ = ["BY_SUFFIX", "by_suffix"]

_DELIVERED = MessageOutcome()

BY_SUFFIX = MappingProxyType(
    {
        **{str(code): MessageOutcome(final="failed", error_code=code) for code in DESCRIPTIONS},
        "9902": MessageOutcome(final="failed", error_code=9902, pace="receipt_window"),
        "9000": MessageOutcome(final="none", progress=False),
        "9001": MessageOutcome(final="none"),
        "9002": MessageOutcome(pace="late"),
        "9003": MessageOutcome(copies=2),
        "9004": MessageOutcome(order="before_answer"),
        "9005": MessageOutcome(order="before_sent"),
        "9006": MessageOutcome(final="failed", error_code=4720, second_final="delivered"),
        "9007": MessageOutcome(extra_type="message-frobnicated"),
        "9008": MessageOutcome(shape="object"),
        "9009": MessageOutcome(shape="batch"),
        "9010": MessageOutcome(tag="empty"),
        "9011": MessageOutcome(time_digits=0, description="ok"),
        "9012": MessageOutcome(rcs=False),
    }
)


def by_suffix(recipient: str) -> MessageOutcome:
    """Return the outcome for this recipient."""
    return BY_SUFFIX.get(recipient[-4:], _DELIVERED)
