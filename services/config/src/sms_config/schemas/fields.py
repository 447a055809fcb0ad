"""The types of fields in bodies, each with its rule: names, ids, secrets, times, enumerations."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any
from unicodedata import normalize
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, SecretStr

from sms_common.configuration import FailurePolicy
from sms_common.input.pasted import entries, one_line, printable_ascii, trimmed
from sms_config.model.records import Role

MAX_NAME = 64
MAX_DIDS = 20_000
MAX_SECRET = 512
MIN_PASSWORD = 12
MAX_PASSWORD = 256
MAX_GRACE = 30 * 24 * 3600
# Entries of the time zone files that are no places: the machine's own zone, "not set", and copies of the others.
_NO_PLACES = re.compile(r"localtime|Factory|posixrules|(?:posix|right)/.*")


def plain(text: str) -> str:
    """Return a text as one line without invisible characters."""
    return one_line(text)


def _name(text: str) -> str:
    text = one_line(text)
    if not 1 <= len(text) <= MAX_NAME:
        raise ValueError(f"must have 1 to {MAX_NAME} characters")
    return text


def _typed(value: object) -> object:
    """Return a word that machines exchange, such as an id: printable ASCII. Its pattern decides about blanks."""
    return printable_ascii(value, blanks=True) if isinstance(value, str) else value


def _secret(value: SecretStr) -> SecretStr:
    """Return a secret trimmed. Its characters are checked later, by the rules of its carrier."""
    text = trimmed(value.get_secret_value())
    if not 1 <= len(text) <= MAX_SECRET:
        raise ValueError(f"must have 1 to {MAX_SECRET} characters; null removes it")
    return SecretStr(text)


def _passphrase(value: SecretStr) -> SecretStr:
    """Return printable ASCII, with blanks: programs disagree about how HTTP Basic encodes anything else."""
    return SecretStr(printable_ascii(_secret(value).get_secret_value(), blanks=True))


def _account(text: str) -> str:
    text = printable_ascii(text)
    if not 1 <= len(text) <= MAX_NAME:
        raise ValueError(f"must have 1 to {MAX_NAME} characters; null names none")
    return text


def _username(text: str) -> str:
    text = _name(printable_ascii(text, blanks=True))
    if ":" in text:
        raise ValueError("may not hold a colon (RFC 7617)")
    return text


@cache
def _time_zones() -> frozenset[str]:
    """Return the names of all time zones that are places. It is cached, because it reads hundreds of files."""
    return frozenset(name for name in available_timezones() if not _NO_PLACES.fullmatch(name))


def _time_zone(text: str) -> str:
    if text not in _time_zones():
        raise ValueError("is not the name of a time zone, such as America/New_York")
    return text


def _dids(text: str) -> str:
    if len(text) > MAX_DIDS:
        raise ValueError(f"may have {MAX_DIDS} characters")
    return ";".join(entries(text))


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
    """Accept `at_least_once` too, which is the usual word in messaging for `resend`."""
    return member(FailurePolicy, FailurePolicy.RESEND if value == "at_least_once" else value)


def member(kind: type[StrEnum], value: Any) -> StrEnum:
    """Return the member of that name. JSON has names, and strict validation accepts only members."""
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(kind)}") from None


def _password(value: SecretStr) -> SecretStr:
    text = one_line(normalised(value.get_secret_value()))
    if not MIN_PASSWORD <= len(text) <= MAX_PASSWORD:
        raise ValueError(f"must have {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    return SecretStr(text)


def normalised(password: str) -> str:
    """Return a password in Unicode form NFKC, as keyboards send different forms (NIST SP 800-63B, 3.1.1.2)."""
    return normalize("NFKC", password)


def _role(value: object) -> object:
    return member(Role, value)


Name = Annotated[str, AfterValidator(_name), Field(description="1 to 64 characters.")]
# Ids travel in routing keys and queue names. They begin with a letter or digit: a lone hyphen there means "no tenant".
NewId = Annotated[
    str,
    BeforeValidator(_typed),
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="1 to 64 letters, digits, underscores and hyphens."),
]
AccountId = Annotated[str, AfterValidator(_account)]
Reference = Annotated[str, BeforeValidator(_typed), Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Country = Annotated[
    str,
    BeforeValidator(_typed),
    Field(pattern=r"^[A-Za-z]{2}$", description="ISO 3166 alpha-2; national numbers are read with it."),
]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
Passphrase = Annotated[SecretStr, AfterValidator(_passphrase), Field(description="Printable ASCII; blanks are taken.")]
Hostname = Annotated[str, BeforeValidator(_typed), Field(pattern=r"^[A-Za-z0-9._:\[\]-]{1,253}$")]
Moment = Annotated[AwareDatetime, BeforeValidator(_text_only), AfterValidator(_in_utc), Field(strict=False)]
Dids = Annotated[
    str,
    AfterValidator(_dids),
    Field(
        description="Numbers and ranges separated by `;`, commas, tabs or line ends, such as "
        "`+12015550100-+12015550199; +12015550300`. National numbers are read with the tenant's country."
    ),
]
Username = Annotated[str, AfterValidator(_username)]
TimeZone = Annotated[
    str,
    BeforeValidator(_typed),
    AfterValidator(_time_zone),
    Field(description="A name of the IANA database that is a place, or UTC."),
]
Policy = Annotated[FailurePolicy, BeforeValidator(_policy)]
UserName = Annotated[
    str,
    BeforeValidator(_typed),
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$",
        description="1 to 64 letters, digits and `._@+-`; upper and lower case are the same name.",
    ),
]
Password = Annotated[
    SecretStr,
    AfterValidator(_password),
    Field(
        description="12 to 256 characters after blanks and whatever nobody sees were taken off the ends, and not the "
        "user's name. It can be written and never read."
    ),
]
RoleName = Annotated[Role, BeforeValidator(_role)]
