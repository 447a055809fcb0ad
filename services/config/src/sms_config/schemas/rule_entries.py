"""The types of fields in rules and extensions: destinations, routes, caller ids, masks."""

import re
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from sms_common.input.optional import FILLED
from sms_common.input.pasted import entries, one_line, trimmed
from sms_common.messages import Category, MsgType
from sms_common.rules import ActionKind, OutsideHours, Permission, Strategy
from sms_common.rules.outbound import MAX_ROUTES
from sms_config.model.strict_model import StrictModel
from sms_config.schemas.fields import Name, Reference, member, plain

MAX_PRIORITY = 100_000
MAX_MASK = 4_000
MAX_NAMED = 100
MAX_GROUPS = 50
MAX_CALLER_IDS = 50
MAX_HOLIDAYS = 1_000
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DESTINATION = re.compile(r"[^;*]{0,64}")
_RANGE = re.compile(r"\s*([0-9]+)\s*[-\u2010-\u2015\u2212]\s*([0-9]+)\s*")
E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


def _list(text: str) -> str:
    """Return a list with one `;` between entries. The resource reads the entries, with the tenant's country."""
    if len(text) > MAX_MASK:
        raise ValueError(f"may have {MAX_MASK} characters")
    return ";".join(entries(text))


def _destination(text: str) -> str:
    text = one_line(text)
    if not _DESTINATION.fullmatch(text):
        raise ValueError("must be one destination of up to 64 characters, or one range; not a list or a pattern")
    return _RANGE.sub(r"\1-\2", text) if _RANGE.fullmatch(text) else text


def _day(text: str) -> str:
    if not _DATE.fullmatch(text):
        raise ValueError("must be a date such as 2026-12-25")
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a day of the calendar") from None
    return text


def _once(values: Iterable[T]) -> list[T]:
    """Return each value once, in order: a set is stored so."""
    return sorted(set(values))  # type: ignore[type-var]  # texts and numbers only


def _word(kind: type[E]) -> BeforeValidator:
    """Accept the words of an enumeration."""
    return BeforeValidator(lambda value: member(kind, value))


def _words(kind: type[E]) -> AfterValidator:
    """Keep each word of an enumeration once, in the enumeration's order."""
    return AfterValidator(lambda values: [word for word in kind if word in values])


Mask = Annotated[
    str,
    AfterValidator(_list),
    Field(
        description="Numbers, ranges `a-b`, patterns with `*` for one digit, short codes, names and e-mail addresses "
        "of senders, separated by `;`, `,` or line ends. Empty is anyone. National numbers and patterns are read with "
        "the tenant's country. What can match nobody is refused; three to six digits that are also the beginning of "
        "numbers are written `short code 202555`."
    ),
]
Prefixes = Annotated[
    str,
    AfterValidator(_list),
    Field(
        description="Beginnings of the recipient's number, such as `+44;+1202`, separated by `;`, `,` or line ends; "
        "a lone `+` is every number. National ones are read with the tenant's country."
    ),
]
Day = Annotated[str, AfterValidator(_day), Field(description="YYYY-MM-DD")]
Days = Annotated[list[Day], Field(max_length=MAX_HOLIDAYS), AfterValidator(_once)]
Channels = Annotated[
    list[Annotated[MsgType, _word(MsgType)]], Field(min_length=1, max_length=len(MsgType)), _words(MsgType)
]
Categories = Annotated[list[Annotated[Category, _word(Category)]], Field(max_length=len(Category)), _words(Category)]
References = Annotated[list[Reference], Field(max_length=MAX_NAMED), AfterValidator(_once)]
Groups = Annotated[list[Name], Field(max_length=MAX_GROUPS), AfterValidator(_once)]
Lengths = Annotated[
    list[Annotated[int, Field(ge=1, le=20)]],
    Field(max_length=20, description="How many digits the recipient's number has, country code included: 3 to 15."),
    AfterValidator(_once),
]
Priority = Annotated[int, Field(ge=1, le=MAX_PRIORITY, description="The lower comes first.")]
ActionWord = Annotated[ActionKind, _word(ActionKind)]
ClosedWord = Annotated[OutsideHours, _word(OutsideHours)]
StrategyWord = Annotated[Strategy, _word(Strategy)]
PermissionWord = Annotated[Permission, _word(Permission)]
NumberText = Annotated[str, AfterValidator(plain), Field(min_length=1, max_length=32)]
ExtensionNumber = Annotated[
    str,
    BeforeValidator(lambda value: trimmed(value) if isinstance(value, str) else value),
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$", description="As the PBX names it in its requests."),
]
ExtensionMask = Annotated[
    str,
    AfterValidator(_list),
    Field(
        description="Extensions that send, such as `100-199;205;3**`, where `*` is one digit, separated by `;`, `,` or "
        "line ends; empty is any."
    ),
]


class Destination(StrictModel):
    """Where a text goes: an extension or another number, a range that maps one to one onto the rule's DID range, or 0
    for the number that was written to.
    """

    kind: ActionWord = ActionKind.EXTENSION
    destination: Annotated[str, AfterValidator(_destination), FILLED] = "0"


class RouteEntry(StrictModel):
    """One way out: an SMS configuration, what is done to the recipient's number, and as whom."""

    config_id: Reference
    enabled: bool = True
    strip_digits: Annotated[int, Field(ge=0, le=9)] = 0
    prepend: Annotated[str, Field(max_length=16, pattern=r"^\+?[0-9]*$")] = ""
    caller_id: NumberText | None = Field(default=None, description="One of the trunk's numbers.")
    weight: Annotated[int, Field(ge=1, le=1000, description="How often it comes first when drawn.")] = 1


Routes = Annotated[list[RouteEntry], Field(min_length=1, max_length=MAX_ROUTES)]


class CallerIdEntry(StrictModel):
    """A number that an extension may show, on one trunk."""

    number: NumberText
    trunk_id: Reference
    description: Annotated[str, AfterValidator(plain), Field(max_length=64)] = ""


CallerIds = Annotated[list[CallerIdEntry], Field(max_length=MAX_CALLER_IDS)]
