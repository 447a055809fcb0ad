"""A carrier's declaration: its credentials, its limits, and the steps to set it up. Pure.

The API, the portal and the command line are built from it, so a carrier's own words are in its folder only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from sms_common.input.pasted import one_line, printable_ascii


@dataclass(frozen=True, slots=True)
class CarrierLimits:
    """What a carrier accepts in one request. Texts and addresses are in characters, files in bytes.

    `media_bytes` is for one file, `message_bytes` for all files together; None: the carrier states no limit.
    `receipt_hours`: how many hours after sending the last receipt may arrive, with its repeats.
    """

    text: int
    media: int
    media_url: int
    group_recipients: int
    media_bytes: int | None = None
    message_bytes: int | None = None
    receipt_hours: float | None = None

    @property
    def groups(self) -> bool:
        """Whether one message can have several recipients."""
        return self.group_recipients > 1


@dataclass(frozen=True, slots=True)
class CredentialPattern:
    """The form of one credential: the whole value matches `regex`; if not, `sentence` says so ("must be ...").

    `ascii_only` False: it may contain blanks and characters outside ASCII. Invisible characters are refused anyway.
    """

    regex: re.Pattern[str]
    sentence: str
    ascii_only: bool = True


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One credential. A `secret` one is never shown again. Any other only identifies the account, and is shown.

    `aliases` are other names for it in the API. `known_as` is its name in the carrier's own pages, if that is not the
    `label`. Without a `pattern` it must be printable ASCII without blanks.
    """

    name: str
    label: str
    secret: bool
    aliases: tuple[str, ...] = ()
    required: bool = True
    pattern: CredentialPattern | None = None
    known_as: str | None = None
    hint: str | None = None

    def value(self, credentials: Mapping[str, SecretStr]) -> str:
        """Return its value, given under any of its names; empty when it is absent."""
        found = next((credentials[name] for name in (self.name, *self.aliases) if credentials.get(name)), None)
        return "" if found is None else found.get_secret_value()

    def fault(self, text: str) -> str | None:
        """Return why `text` cannot be this credential, or None. The sentence never contains the text."""
        try:
            if self.pattern is None or self.pattern.ascii_only:
                printable_ascii(text)
            else:
                one_line(text)
        except ValueError as unclean:
            return str(unclean)
        return None if self.pattern is None or self.pattern.regex.fullmatch(text) else self.pattern.sentence


@dataclass(frozen=True, slots=True)
class BasicCallback:
    """A carrier can send a user name and a password to the webhook (HTTP Basic).

    `challenged`: it may send them only after a 401 that asks for them.
    """

    challenged: bool


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One thing to do in the carrier's own pages.

    `{webhook}` in the text stands for the webhook's address, `{callback_user}` for the callback's user name.
    """

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """Everything about a carrier that people and programs need to configure it.

    `brand` is its name for people. `account` is the name of the credential that tells accounts apart: configurations
    with the same account share its limits. `callback` None: the carrier sends no credentials to the webhook.
    `campaign_name` and `brand_name` are its words for a registered campaign and its owner, which have shared limits.
    `setup_note` warns of what fails silently when a step is left out.
    """

    brand: str
    credentials: tuple[CredentialField, ...]
    account: str
    limits: CarrierLimits
    callback: BasicCallback | None = None
    setup: tuple[SetupStep, ...] = ()
    setup_note: str | None = None
    campaign_name: str = "Campaign ID"
    brand_name: str = "Brand ID"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all credentials, in order."""
        return tuple(field.name for field in self.credentials)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secret credentials."""
        return tuple(field.name for field in self.credentials if field.secret)

    @property
    def shown(self) -> tuple[str, ...]:
        """The names of the credentials that may be shown."""
        return tuple(field.name for field in self.credentials if not field.secret)

    @property
    def aliases(self) -> Mapping[str, str]:
        """The credential's name for each alias."""
        return {alias: field.name for field in self.credentials for alias in field.aliases}

    def field(self, name: str) -> CredentialField | None:
        """The credential with this name or alias, or None."""
        return next((field for field in self.credentials if name == field.name or name in field.aliases), None)

    def missing(self, credentials: Mapping[str, SecretStr]) -> list[str]:
        """Return the names of the required credentials that are absent or empty under all of their names."""
        return [field.name for field in self.credentials if field.required and not field.value(credentials)]

    def faults(self, credentials: Mapping[str, SecretStr]) -> dict[str, str]:
        """Return what is wrong with each credential, by its name. No sentence contains a value."""
        found = ((name, self._fault(name, value.get_secret_value())) for name, value in credentials.items())
        return {name: fault for name, fault in found if fault is not None}

    def _fault(self, name: str, text: str) -> str | None:
        # A former release may have stored it under a name that is no longer known. It is checked, too.
        field = self.field(name) or CredentialField(name, name, secret=True)
        return field.fault(text)
