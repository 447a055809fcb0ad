"""Why a parked message stays where it is."""

from enum import StrEnum


class ReplayRefusal(StrEnum):
    """What keeps a parked message where it is, besides what a webhook answers (TrialCode) and what is away."""

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
    """Why a parked message stays where it is: a stable code, and a sentence that also tells what to do."""

    def __init__(self, code: str, says: str) -> None:
        super().__init__(says)
        self.code = code
        self.says = says
