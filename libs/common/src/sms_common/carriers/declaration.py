"""What a carrier says of itself, once: its credentials, its limits, and the steps that set it up.

The API, the portal and the command line are drawn from this. So a carrier's own words stand in its folder and nowhere
else. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from sms_common.input.pasted import one_line, printable_ascii


@dataclass(frozen=True, slots=True)
class CarrierLimits:
    """What a carrier takes in one request. Texts and addresses in characters, files in bytes.

    `media_bytes` is the size of one file, `message_bytes` of all files together; None: the carrier names no limit.
    `receipt_hours`: how long after sending the last receipt may still arrive, repeats included.
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
        """Whether it sends one message to several recipients."""
        return self.group_recipients > 1


@dataclass(frozen=True, slots=True)
class CredentialPattern:
    """The form of one credential: what the whole of it matches, and the sentence for what does not ("must be ...").

    `ascii_only` False: the carrier takes characters outside ASCII in it, and blanks; invisible ones are refused all
    the same.
    """

    regex: re.Pattern[str]
    sentence: str
    ascii_only: bool = True


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One credential. A `secret` one proves who one is and is never shown again; any other identifies and is shown.

    `aliases` are other names for it in the API. `known_as` is what the carrier's own pages call it, where that is
    another word than `label`. Without a `pattern` it is printable ASCII without blanks.
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
        """Return it in the clear, under whichever of its names it stands; empty when it is absent."""
        found = next((credentials[name] for name in (self.name, *self.aliases) if credentials.get(name)), None)
        return "" if found is None else found.get_secret_value()

    def fault(self, text: str) -> str | None:
        """Say why `text` cannot be this credential, or None. The sentence never holds the text."""
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
    """A carrier can present a user name and a password at the webhook (HTTP Basic).

    `challenged`: perhaps only after a 401 that asks for them.
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
    """Everything about a carrier that a person or a program configures by.

    `brand` is its name for people. `account` names the credential that tells accounts apart: configurations of one
    account share its limits. `callback` None: the carrier proves nothing at the webhook but that it knows the address.
    `campaign_name` and `brand_name` are what it calls a registered campaign and its owner, whose limits are shared.
    `setup_note` is what goes wrong without a word when a step was left out.
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
        """The names of those by which somebody proves to have the account."""
        return tuple(field.name for field in self.credentials if field.secret)

    @property
    def shown(self) -> tuple[str, ...]:
        """The names of those that may be shown."""
        return tuple(field.name for field in self.credentials if not field.secret)

    @property
    def aliases(self) -> Mapping[str, str]:
        """The first name of every other name."""
        return {alias: field.name for field in self.credentials for alias in field.aliases}

    def field(self, name: str) -> CredentialField | None:
        """The credential that is called `name`, by its first name or another one."""
        return next((field for field in self.credentials if name == field.name or name in field.aliases), None)

    def missing(self, credentials: Mapping[str, SecretStr]) -> list[str]:
        """Name the required credentials that are absent or empty, also under another name."""
        return [field.name for field in self.credentials if field.required and not field.value(credentials)]

    def faults(self, credentials: Mapping[str, SecretStr]) -> dict[str, str]:
        """Say of each credential that cannot be one why not, beside its name. No sentence holds a value."""
        found = ((name, self._fault(name, value.get_secret_value())) for name, value in credentials.items())
        return {name: fault for name, fault in found if fault is not None}

    def _fault(self, name: str, text: str) -> str | None:
        # What a former release stored under a name that is not known any more is looked at all the same.
        field = self.field(name) or CredentialField(name, name, secret=True)
        return field.fault(text)
