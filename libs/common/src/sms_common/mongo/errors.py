"""What an error of MongoDB's driver means to us: the one place that tells them apart.

the content   one document or update can never be stored   -> UnreadableEvent, and what is beside it is stored
MongoDB       away, slow, between primaries, no rights yet -> Unavailable, and it is tried again
neither       whatever else it says                        -> whoever asked decides: the ledger tries again, since
                                                              a message must not be lost; the API answers 500
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from bson.errors import BSONError
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from sms_common.errors import Code, Unavailable, UnreadableEvent
from sms_common.mongo.driver_messages import why_unusable

TRANSIENT: Final = "TransientTransactionError"
COMMIT_UNKNOWN: Final = "UnknownTransactionCommitResult"
_AWAY_LABELS: Final = (TRANSIENT, COMMIT_UNKNOWN, "RetryableWriteError")
# A user that is not there yet, or has no rights yet, is waited for as a server is.
_REFUSED: Final = frozenset({13, 18})
_DUPLICATE_KEY: Final = 11000
# What the server says about one document or update, and would say again: a wrong or forbidden value, name or type,
# too large, or against the collection's rules. Everything else may be another at the next try.
_UNSTORABLE: Final = frozenset({2, 9, 14, 15, 22, 28, 40, 52, 56, 57, 66, 121, 10334, 16837, 17280, 17419, 17420})

DRIVER_ERRORS: Final = (PyMongoError, BSONError, OverflowError, UnicodeError)
"""What the driver raises: its own errors, and those of a value that it cannot write down."""


class ErrorCause(Enum):
    """Whose fault an error is."""

    CONTENT = "content"
    MONGODB = "mongodb"
    UNKNOWN = "unknown"


def cause_of(error: Exception) -> ErrorCause:
    """Whose fault one of DRIVER_ERRORS is. A batch is the content's fault when all that failed of it is."""
    if not isinstance(error, PyMongoError):
        return ErrorCause.CONTENT
    if isinstance(error, BulkWriteError):
        codes = _codes(error)
        if codes and codes <= _UNSTORABLE:
            return ErrorCause.CONTENT
    elif isinstance(error, OperationFailure) and error.code in _UNSTORABLE:
        return ErrorCause.CONTENT
    return ErrorCause.MONGODB if _is_away(error) else ErrorCause.UNKNOWN


def _is_away(error: PyMongoError) -> bool:
    # The address was checked at the start; what is left of its configuration is a name that the DNS does not know yet.
    if isinstance(error, (ConnectionFailure, ConfigurationError, ExecutionTimeout, WTimeoutError)) or error.timeout:
        return True
    if isinstance(error, OperationFailure) and error.code in _REFUSED:
        return True
    return any(error.has_error_label(label) for label in _AWAY_LABELS)


def unavailable(error: Exception, what: str) -> Unavailable:
    """The error as ours: `what` is what does not go, as the beginning of a sentence."""
    why = why_unusable(type(error).__name__, getattr(error, "code", None), str(error))
    return Unavailable(Code.STORE_UNAVAILABLE, f"{what}: {why}.")


def unstorable(error: Exception | None = None) -> UnreadableEvent:
    """What is raised for a value that can never be stored. `error` is what the driver raised for it, if anything."""
    by_driver = error is not None and not isinstance(error, PyMongoError)
    why = type(error).__name__ if by_driver else "MongoDB refuses it"
    return UnreadableEvent(Code.INVALID_REQUEST, f"It holds a value that cannot be stored ({why}).")


def _codes(error: BulkWriteError) -> frozenset[int]:
    """The codes of all failures of a batch; none when the batch itself was not confirmed."""
    details = error.details or {}
    if details.get("writeConcernErrors"):
        return frozenset()
    return frozenset(failure["code"] for failure in details.get("writeErrors", []))


@dataclass(frozen=True, slots=True)
class BatchFailures:
    """The places of a batch whose ids exist already, and of those that can never be stored."""

    taken: frozenset[int]
    unstorable: frozenset[int]


def failures_of(error: BulkWriteError) -> BatchFailures:
    """What failed by itself, while the rest of the batch was written. Re-raises when anything else went wrong."""
    codes = _codes(error)
    if not codes or not codes <= _UNSTORABLE | {_DUPLICATE_KEY}:
        raise error
    single = (error.details or {}).get("writeErrors", [])
    taken = frozenset(failure["index"] for failure in single if failure["code"] == _DUPLICATE_KEY)
    return BatchFailures(taken, frozenset(failure["index"] for failure in single) - taken)


def places_taken(error: BulkWriteError) -> frozenset[int]:
    """The places of a batch whose ids exist already. Re-raises when anything else went wrong."""
    found = failures_of(error)
    if found.unstorable:
        raise error
    return found.taken


def places_unstorable(error: BulkWriteError) -> frozenset[int]:
    """The places of a batch that can never be stored. Re-raises when anything else went wrong."""
    found = failures_of(error)
    if found.taken:
        raise error
    return found.unstorable
