"""Why a parked message cannot be replayed."""

from enum import StrEnum


class ReplayRefusal(StrEnum):
    """Codes of refused replays. Others come from the webhook test (StepCode) and from Unavailable."""

    NO_OWNER = "no_owner"
    NOT_ITS_NUMBER = "not_its_number"
    ANOTHERS_WEBHOOK = "anothers_webhook"
    ACCOUNT_UNPROVED = "account_unproved"
    CONFIG_DISABLED = "config_disabled"
    NO_QUEUE = "no_queue"
    NO_INBOUND_TEXT = "no_inbound_text"
    QUEUE_GONE = "queue_gone"
    CONFIG_GONE = "config_gone"
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105  # the name of a reason


class ReplayRefused(Exception):  # it is an answer to the person who asked
    """A parked message was not replayed: a stable code, and a sentence that also tells what to do."""

    def __init__(self, code: str, says: str) -> None:
        super().__init__(says)
        self.code = code
        self.says = says
