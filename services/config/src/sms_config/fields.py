"""The kinds of values that bodies are made of, each with its rule: names, ids, secrets, times, words of a fixed set."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any
from unicodedata import normalize
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, SecretStr

from sms_common.configuration import FailurePolicy
from sms_config.records import Role

MAX_NAME = 64
MAX_DIDS = 20_000
MAX_SECRET = 512
MIN_PASSWORD = 12
MAX_PASSWORD = 256
MAX_GRACE = 30 * 24 * 3600
# Control characters, line separators, marks that turn the reading direction, and halves of surrogate pairs.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    """Without surrounding white space, and without characters that would garble a list, a header or a log."""
    stripped = text.strip()
    if _CONTROL.search(stripped):
        raise ValueError("may not hold control characters")
    return stripped


def _name(text: str) -> str:
    text = plain(text)
    if not 1 <= len(text) <= MAX_NAME:
        raise ValueError(f"must have 1 to {MAX_NAME} characters")
    return text


def _secret(value: SecretStr) -> SecretStr:
    text = plain(value.get_secret_value())
    if not 1 <= len(text) <= MAX_SECRET:
        raise ValueError(f"must have 1 to {MAX_SECRET} characters; null removes it")
    return SecretStr(text)


def _username(text: str) -> str:
    text = _name(text)
    if ":" in text:
        raise ValueError("may not hold a colon (RFC 7617)")
    return text


@cache
def _time_zones() -> frozenset[str]:
    """The names of all time zones; finding them takes a walk through hundreds of files."""
    return frozenset(available_timezones())


def _time_zone(text: str) -> str:
    if text not in _time_zones():
        raise ValueError("is not the name of a time zone, such as America/New_York")
    return text


def _dids(text: str) -> str:
    text = plain(text)
    if len(text) > MAX_DIDS:
        raise ValueError(f"may have {MAX_DIDS} characters")
    return text


def _text_only(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a time such as 2026-01-31T12:00:00Z")  # noqa: TRY004  # pydantic reports ValueError
    return value


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is too far away") from None


def _policy(value: object) -> object:
    """`at_least_once` is the name a messaging person knows `resend` by."""
    return member(FailurePolicy, FailurePolicy.RESEND if value == "at_least_once" else value)


def member(kind: type[StrEnum], value: Any) -> StrEnum:
    """Return the member of that name. Strict validation takes members of an enumeration only; JSON has their names."""
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(kind)}") from None


def _password(value: SecretStr) -> SecretStr:
    # One form of every character, as keyboards differ in which they send (NIST SP 800-63B, 3.1.1.2).
    text = normalize("NFKC", value.get_secret_value())
    if not MIN_PASSWORD <= len(text) <= MAX_PASSWORD:
        raise ValueError(f"must have {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    if _CONTROL.search(text):
        raise ValueError("may not hold control characters")
    return SecretStr(text)


def _role(value: object) -> object:
    return member(Role, value)


Name = Annotated[str, AfterValidator(_name), Field(description="1 to 64 characters.")]
# Ids travel in routing keys and queue names. They begin with a letter or digit: a lone hyphen there means "no tenant".
NewId = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="1 to 64 letters, digits, underscores and hyphens."),
]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
Hostname = Annotated[str, AfterValidator(plain), Field(pattern=r"^[A-Za-z0-9._:\[\]-]{1,253}$")]
Moment = Annotated[AwareDatetime, BeforeValidator(_text_only), AfterValidator(_in_utc), Field(strict=False)]
Dids = Annotated[
    str,
    AfterValidator(_dids),
    Field(
        description="Numbers and ranges separated by `;`, such as `+12015550100-+12015550199; +12015550300`. "
        "National numbers are read with the tenant's country."
    ),
]
Username = Annotated[str, AfterValidator(_username)]
TimeZone = Annotated[str, AfterValidator(_time_zone), Field(description="A name of the IANA database.")]
Policy = Annotated[FailurePolicy, BeforeValidator(_policy)]
UserName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$",
        description="1 to 64 letters, digits and `._@+-`; upper and lower case are the same name.",
    ),
]
Password = Annotated[
    SecretStr,
    AfterValidator(_password),
    Field(description="12 to 256 characters, and not the user's name. It can be written and never read."),
]
RoleName = Annotated[Role, BeforeValidator(_role)]
