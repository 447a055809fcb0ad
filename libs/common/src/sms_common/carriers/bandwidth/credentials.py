"""How Bandwidth's credentials look. Lenient: enough to notice that something else was pasted, whatever it was."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sms_common.carriers.protocol import CredentialPattern

_UUID = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
# Bandwidth gives digits for the account and a UUID for the application; a simulator may have names for both.
_WORD = "[A-Za-z0-9_-]{1,128}"

PATTERNS: Final[Mapping[str, CredentialPattern]] = MappingProxyType(
    {
        "account_id": CredentialPattern(
            re.compile(f"(?!{_UUID}$){_WORD}"),
            "must be the Account ID alone, such as 9900123: no address, and not the Application ID",
        ),
        "application_id": CredentialPattern(
            re.compile(_WORD),
            "must be the Application ID alone, such as 93de2206-9669-4e07-948d-329f4b722ee2",
        ),
    }
)
