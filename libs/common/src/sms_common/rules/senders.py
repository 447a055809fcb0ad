"""The senders that an extension may use."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from pydantic import BaseModel, ConfigDict

from sms_common.errors import Code

_BY_EXTENSION = "The extension's caller id on this trunk."


class Permission(StrEnum):
    """PortSIP's words for what an extension may do."""

    DISABLE = "DISABLE"
    ALLOW = "ALLOW"
    ALLOW_WITH_SENDER_ID = "ALLOW_WITH_SENDER_ID"


class CallerId(BaseModel):
    """A number that an extension may use as its sender, on one trunk."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: str
    trunk_id: str
    description: str = ""


class Extension(BaseModel):
    """What is configured for one extension of a tenant. `listed` False: for all extensions without their own entry."""

    model_config = ConfigDict(frozen=True, extra="ignore", ignored_types=(cached_property,))

    extension: str
    permission: Permission = Permission.ALLOW_WITH_SENDER_ID
    caller_ids: tuple[CallerId, ...] = ()
    groups: frozenset[str] = frozenset()
    listed: bool = True

    def caller_id(self, trunk_id: str) -> str | None:
        """The first caller id of this extension on a trunk."""
        return next((c.number for c in self.caller_ids if c.trunk_id == trunk_id), None)


class SenderRefused(Exception):  # it is an answer
    """There is no sender to use. `code` and `reason` say why."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SenderQuery:
    """Everything that the choice of a sender depends on, the most important first.

    `owned` says whether a number belongs to the tenant on the configuration's trunk. A caller id that no longer does is
    skipped. `extension` None: nothing is configured for it, so it may use any of the tenant's numbers.
    """

    owned: Callable[[str], bool]
    trunk_id: str
    extension: Extension | None = None
    wanted: str | None = None
    conversation_did: str | None = None
    sender_id: str | None = None
    route_caller_id: str | None = None
    default_did: str | None = None


def choose_sender(query: SenderQuery) -> tuple[str, str]:
    """The sender, and a sentence that says why it was chosen. Raises SenderRefused."""
    extension = query.extension
    permission = extension.permission if extension else Permission.ALLOW_WITH_SENDER_ID
    if permission is Permission.DISABLE:
        raise SenderRefused(Code.SENDER_NOT_ALLOWED, why_disabled(extension))
    if query.wanted is not None:
        return _wanted(query, query.wanted, permission), "The request names it."
    if query.conversation_did is not None and query.owned(query.conversation_did):
        return query.conversation_did, "The conversation was begun with this number."
    if permission is Permission.ALLOW_WITH_SENDER_ID and query.sender_id:
        return query.sender_id, "The SMS configuration's sender id."
    choices = (
        (_still_owned(query, extension.caller_id(query.trunk_id) if extension else None), _BY_EXTENSION),
        (_still_owned(query, query.route_caller_id), "The route's caller id."),
        (query.sender_id, "The SMS configuration's sender id."),
        (query.default_did, "The trunk's default number."),
    )
    for sender, why in choices:
        if sender:
            return sender, why
    raise SenderRefused(Code.NO_SENDER, "Neither a sender, a sender id nor a default number is set.")


def why_disabled(extension: Extension | None) -> str:
    """Why an extension may not send, as a sentence."""
    if extension is None or extension.listed:
        return "The extension may not send texts."
    return "The extension is not listed, and such an extension may not send texts."


def _still_owned(query: SenderQuery, number: str | None) -> str | None:
    return number if number is not None and (number == query.sender_id or query.owned(number)) else None


def _wanted(query: SenderQuery, wanted: str, permission: Permission) -> str:
    if wanted == query.sender_id and permission is Permission.ALLOW_WITH_SENDER_ID:
        return wanted
    if not query.owned(wanted):
        raise SenderRefused(Code.SENDER_NOT_ALLOWED, "The sender does not belong to this SMS configuration.")
    extension = query.extension
    if extension is not None and extension.caller_ids and all(c.number != wanted for c in extension.caller_ids):
        raise SenderRefused(Code.SENDER_NOT_ALLOWED, "The extension may not use this sender.")
    return wanted
