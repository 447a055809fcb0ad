"""Reads what PBXs write into the fields of a request, or refuses it with a sentence. Pure, no I/O.

The functions run before pydantic's own checks. They raise a `refusal`, whose text follows the name of the field and
never holds the value.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from sms_common.errors import Code
from sms_common.input.media_urls import InvalidMediaUrl, media_url
from sms_common.input.pasted import entries, trimmed

# A larger number that was a float has lost digits.
_EXACT: Final = 2**53
_TEXTS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_EXPONENT: Final = re.compile(rb"[0-9][eE][+-]?[0-9]")
_NEXT_ADDRESS: Final = re.compile(r"(?:\s*[,;|]\s*|\s+)(?=https?://)", re.IGNORECASE)
# How many digits a whole number has. A shorter part of a list could be an extension to dial after a pause.
_WHOLE_NUMBER: Final = range(7, 25)
_NO_PART_OF_A_NUMBER: Final = re.compile(r"[^\W\d_]|[@:=*#]")
# The usual forms, recognised quickly.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:-]+")
_ONE_NUMBER: Final = re.compile(r"[0-9+ ().-]*")
# The dates that programs write for "no time": Go and .NET, MySQL, PHP, SQL Server, OLE, Windows and Unix.
_ZERO_DATES: Final = re.compile(
    r"0000-|-0001-11-30|(0001-01-0[12]|1601-01-01|1753-01-01|1899-12-3[01]|1900-01-01)([ T]|\Z)"
    r"|1970-01-01[ T]00:00(:00(\.0*)?)?(Z|[+-]00:?00)?\Z"
)
_UNIX_ZERO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_GO_ZERO_SECONDS: Final = -62_135_596_800
_SECONDS: Final = re.compile(r"-?\d{1,20}(\.\d{1,9})?")
# 2000 to 2100. The same times in milliseconds are quite different numbers, so the unit is certain.
_PLAUSIBLE: Final = range(946_684_800, 4_102_444_800)
A_TIME: Final = "must be a time with its zone, such as 2026-05-04T05:02:01Z"


def refusal(says: str, code: Code = Code.INVALID_REQUEST, field: str | None = None) -> PydanticCustomError:
    """The error to raise for a value that cannot be read. `says` follows the field's name. `field` is that name, when
    it differs from where the value is.
    """
    context = {"says": says} if field is None else {"says": says, "field": field}
    return PydanticCustomError(code.value, "{says}", context)


class FromPbx(BaseModel):
    """A part of a request. For an optional field, null and an empty value ("", [], {}) mean "not given". So does a text
    of blanks, except in the fields of `VERBATIM`, which are passed on unchanged.
    """

    OPTIONAL: ClassVar[frozenset[str]] = frozenset()
    VERBATIM: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        optional = {name: field.alias for name, field in cls.model_fields.items() if not field.is_required()}
        cls.OPTIONAL = frozenset({*optional, *filter(None, optional.values())})

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_not_given(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        return {name: value for name, value in data.items() if cls._is_given(name, value)}

    @classmethod
    def _is_given(cls, name: str, value: object) -> bool:
        if name not in cls.OPTIONAL:
            return value is not None
        if isinstance(value, str):
            return value != "" if name in cls.VERBATIM else not _is_blank(value)
        return value is not None and value not in ([], {}, ())


def _is_blank(text: str) -> bool:
    return not text.strip() or (not text.isascii() and not trimmed(text))


def as_text(value: object, info: ValidationInfo) -> object:
    """A text. Many programs write a text of digits as a number, so numbers are accepted. A float has to be whole and
    written without an exponent; otherwise it may have lost digits.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        return _whole(value, info)
    return str(value) if isinstance(value, int) else value


def _whole(value: float, info: ValidationInfo) -> str:
    if not value.is_integer() or abs(value) >= _EXACT or _has_exponents(info):
        raise refusal("must be text; a number with a fraction or an exponent may have lost digits")
    return str(int(value))


def _has_exponents(info: ValidationInfo) -> bool:
    """Whether any number in the body is written with an exponent. A float no longer says how it was written."""
    context = info.context or {}
    if "exponents" not in context:  # once for all the numbers of a body
        context["exponents"] = _EXPONENT.search(_TEXTS.sub(b'""', context.get("body", b""))) is not None
    return bool(context["exponents"])


def as_word(value: object, info: ValidationInfo) -> object:
    """An id: a text without invisible characters at its ends."""
    text = as_text(value, info)
    return trimmed(text) if isinstance(text, str) and not _PLAIN.fullmatch(text) else text


def as_number(value: object, info: ValidationInfo) -> object:
    """A phone number as a person would write it. null becomes an empty text, which is refused later."""
    if value is None:
        return ""
    if isinstance(value, int | float) and value < 0:
        raise refusal("must not be a negative number")
    return as_text(value, info)


def as_numbers(value: object) -> list[Any]:
    """Recipients: one or a list. A text may hold several when that is certain."""
    if isinstance(value, Mapping):
        raise refusal("must be a number or a list of numbers")
    items = value if isinstance(value, list | tuple) else [value]
    return [number for item in items for number in (_apart(item) if isinstance(item, str) else [item])]


def _apart(text: str) -> list[str]:
    """The numbers of a text, separated by line ends, tabs, semicolons or commas, if each is a whole number. Two commas
    are a pause, and what follows them is dialled later.
    """
    if _ONE_NUMBER.fullmatch(text):
        return [text]
    parts = entries(text)
    if len(parts) > 1 and ",," not in text and all(_is_whole_number(part) for part in parts):
        return parts
    return [parts[0]] if len(parts) == 1 and trimmed(text).endswith((";", ",")) else [text]


def _is_whole_number(text: str) -> bool:
    return sum(map(str.isdigit, text)) in _WHOLE_NUMBER and _NO_PART_OF_A_NUMBER.search(text) is None


def as_files(value: object) -> object:
    """Media files: one or a list, each an address or an object. A text may hold several addresses, separated by blanks,
    line ends, commas, semicolons or bars.
    """
    if not isinstance(value, str | Mapping | list | tuple):
        raise refusal("must be a list of files")
    items = value if isinstance(value, list | tuple) else [value]
    return [
        file for item in items for file in (_NEXT_ADDRESS.split(trimmed(item)) if isinstance(item, str) else [item])
    ]


def as_file(value: object) -> object:
    """One media file. An address is short for an object with only that address."""
    if value is None or isinstance(value, str):
        return {"url": value}
    if not isinstance(value, Mapping | BaseModel):
        raise refusal("must be the address of a file, or an object with a url")
    return value


def as_media_url(value: object) -> object:
    """The address of a media file, as carriers accept it."""
    if value is None:
        raise refusal("is missing", Code.INVALID_MEDIA)
    if not isinstance(value, str):
        return value
    try:
        return media_url(value)
    except InvalidMediaUrl as error:
        raise refusal(str(error), Code.INVALID_MEDIA) from None


def as_choice(value: object) -> object:
    """A word of a fixed list. Capitals and blanks around it do not matter."""
    return trimmed(value).lower() if isinstance(value, str) else value


def as_moment(value: object) -> object:
    """A moment, or None for the zero times that programs write for "no time". A number is seconds or milliseconds since
    1970, and has to mean a time between 2000 and 2100; 0 means no time.
    """
    if isinstance(value, bool):
        raise refusal(A_TIME)
    if isinstance(value, str):
        text = trimmed(value)
        if _ZERO_DATES.match(text):
            return None
        value = float(text) if _SECONDS.fullmatch(text) else text
    if isinstance(value, int | float):
        return _since_1970(value)
    return None if value == _UNIX_ZERO else value


def _since_1970(number: float) -> datetime | None:
    for seconds in (number, number / 1_000) if abs(number) < _EXACT else ():
        if seconds in {0, _GO_ZERO_SECONDS}:
            return None
        if _PLAUSIBLE.start <= seconds < _PLAUSIBLE.stop:
            return _UNIX_ZERO + timedelta(seconds=seconds)
    raise refusal(
        f"{A_TIME}; a number counts seconds or milliseconds since 1970, and this one is no time between 2000 and 2100"
    )


def unless_unix_zero(moment: datetime | None) -> datetime | None:
    """None for the first moment of 1970, in any time zone: it means "no time"."""
    return None if moment == _UNIX_ZERO else moment
