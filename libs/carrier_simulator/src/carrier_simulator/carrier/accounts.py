"""Accounts of customers: credentials, applications, numbers, and which credential may use which account."""

import hmac
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

__all__ = ["Accounts", "Application", "Credential", "SimulatedAccount", "User", "WebhookCredentials"]

PhoneNumber = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{5,15}$")]
CallbackUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+\S*$")]
EventType = Literal["message-sending", "message-sent", "message-delivered", "message-failed", "message-read"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Credential(_Model):
    """An OAuth2 client. During a rotation the same id occurs twice, with different secrets."""

    client_id: str = Field(min_length=1)
    client_secret: SecretStr


class User(_Model):
    """A legacy API user (Basic)."""

    username: str = Field(min_length=1)
    password: SecretStr


class WebhookCredentials(_Model):
    """User name and password that the carrier sends to the customer's web server."""

    username: str = Field(min_length=1)
    password: SecretStr


class Application(_Model):
    """A messaging application: its webhook URLs and the numbers linked to it."""

    application_id: str = Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    inbound_url: CallbackUrl | None = None
    outbound_url: CallbackUrl | None = None
    inbound_credentials: WebhookCredentials | None = None
    outbound_credentials: WebhookCredentials | None = None
    linked: bool = Field(True, description="False: no location is linked, so messages vanish after the 202")
    numbers: frozenset[PhoneNumber] = Field(
        frozenset(), description="Numbers of the linked location; an empty list accepts any sender"
    )
    events: frozenset[EventType] = Field(
        frozenset({"message-sending", "message-delivered", "message-failed", "message-read"}),
        description="Status events the customer switched on",
    )
    delivered_owner: Literal["sender", "recipient"] = Field(
        "sender", description="Which number status events name as owner; Bandwidth's own examples disagree"
    )
    campaign_id: str | None = None
    campaign_class: str | None = None
    location: str | None = None


class SimulatedAccount(_Model):
    """One customer account."""

    account_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    credentials: tuple[Credential, ...] = ()
    users: tuple[User, ...] = ()
    applications: tuple[Application, ...] = ()
    rate: float = Field(0, ge=0, description="Segments a second leaving the account queue; 0 is unlimited")
    queue_seconds: float = Field(900, gt=0, description="Depth of the account queue in seconds of its rate")

    def application(self, application_id: str) -> Application | None:
        """Return the application of that id, or None."""
        wanted = application_id.lower()
        return next((known for known in self.applications if known.application_id.lower() == wanted), None)

    def owns(self, number: str) -> bool:
        """Return whether the number is listed with one of the account's applications."""
        return any(number in application.numbers for application in self.applications)


class Accounts:
    """All accounts, with the look-ups that every request needs."""

    def __init__(self, accounts: Iterable[SimulatedAccount] = ()) -> None:
        self._by_id: dict[str, SimulatedAccount] = {}
        self._accounts_of_client: dict[str, frozenset[str]] = {}
        for account in accounts:
            self.put(account)

    def __iter__(self) -> Iterator[SimulatedAccount]:
        return iter(self._by_id.values())

    def get(self, account_id: str) -> SimulatedAccount | None:
        """Return the account of that id, or None."""
        return self._by_id.get(account_id)

    def put(self, account: SimulatedAccount) -> None:
        """Add the account, or replace the one with its id."""
        self._by_id[account.account_id] = account
        self._index()

    def remove(self, account_id: str) -> bool:
        """Remove the account; return whether it existed."""
        known = self._by_id.pop(account_id, None) is not None
        self._index()
        return known

    def accounts_of_client(self, client_id: str) -> frozenset[str]:
        """Return the ids of the accounts that an OAuth2 client covers."""
        return self._accounts_of_client.get(client_id, frozenset())

    def accepts_client(self, client_id: str, client_secret: str) -> bool:
        """Return whether this is a secret of a known OAuth2 client, which may have two."""
        return any(
            credential.client_id == client_id and _same(credential.client_secret, client_secret)
            for account in self
            for credential in account.credentials
        )

    def accounts_of_user(self, username: str, password: str) -> frozenset[str]:
        """Return the ids of the accounts that a legacy user may access with this password."""
        return frozenset(
            account.account_id
            for account in self
            for user in account.users
            if user.username == username and _same(user.password, password)
        )

    def owner_of(self, number: str) -> tuple[SimulatedAccount, Application] | None:
        """Return the account and the application that `number` is linked to, or None."""
        for account in self:
            for application in account.applications:
                if number in application.numbers:
                    return account, application
        return None

    def _index(self) -> None:
        covered: dict[str, set[str]] = {}
        for account in self:
            for credential in account.credentials:
                covered.setdefault(credential.client_id, set()).add(account.account_id)
        self._accounts_of_client = {client: frozenset(ids) for client, ids in covered.items()}


def _same(secret: SecretStr, given: str) -> bool:
    return hmac.compare_digest(secret.get_secret_value().encode(), given.encode())
