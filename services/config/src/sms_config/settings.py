"""The settings of this process: environment variables with the prefix CONFIG_, read once."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from sms_common.mongo.address import check_address
from sms_common.service.settings import (
    AmqpUrl,
    CarrierOptions,
    DatabaseName,
    Host,
    HttpUrl,
    LogFormat,
    LogLevel,
    MongoUrl,
    Networks,
    Port,
    PortalUrl,
    ProcessSettings,
    PublicUrl,
    SettingsConfigDict,
)
from sms_common.service.settings import Token as AnyToken
from sms_config.model.keyring import KeyRing
from sms_config.schemas.fields import MAX_GRACE, Password, UserName

# Shorter ones can be guessed; `openssl rand -hex 32` makes a good one.
_MIN_TOKEN = 16


def _key_ring(value: SecretStr) -> SecretStr:
    KeyRing.parse(value.get_secret_value())
    return value


def _known_to_the_driver(value: SecretStr) -> SecretStr:
    check_address(value.get_secret_value())
    return value


Token = Annotated[AnyToken, Field(min_length=_MIN_TOKEN)]


class ConfigSettings(ProcessSettings):
    """The settings of the config service."""

    model_config = SettingsConfigDict(env_prefix="CONFIG_")

    host: Host = Field(default="127.0.0.1", description="Address to listen on.")
    port: Port = Field(default=8081, description="Port of the API, the snapshots, /healthz, /readyz and /metrics.")
    log_format: LogFormat = Field(default="auto", description="auto: console on a terminal, else JSON.")
    log_level: LogLevel = Field(default="info", description="The least serious lines to log.")
    amqp_url: AmqpUrl = Field(description="RabbitMQ, where changes are announced.")
    mongo_url: Annotated[MongoUrl, AfterValidator(_known_to_the_driver)] = Field(description="MongoDB, a replica set.")
    mongo_database: DatabaseName = Field(default="sms_config", description="The database of the configuration.")
    public_url: PublicUrl = Field(description="Base of the webhook URLs, where carriers reach ingress.")
    portal_url: PortalUrl | None = Field(
        default=None,
        description="Base of the portal's address as administrators open it, e.g. https://sms-admin.example.com. "
        "Unset: this host and port.",
    )
    first_admin: UserName = Field(
        default="admin", description="The user name of the first system administrator, made when there is no user."
    )
    first_admin_password: Password | None = Field(
        default=None,
        description="Its password, 12 characters or more. Unset: a one-time link is printed while there is no user.",
    )
    trusted_proxies: Networks = Field(
        default=(),
        description="Addresses or networks (10.0.0.0/8) of the reverse proxies whose X-Forwarded-For is believed.",
    )
    dispatcher_url: HttpUrl = Field(
        default="http://127.0.0.1:8082", description="Base address of the dispatcher, which keeps the message history."
    )
    dispatcher_read_token: Token | None = Field(
        default=None,
        description="The dispatcher's DISPATCHER_READ_TOKEN. Unset: the portal shows no message history.",
    )
    carrier_options: CarrierOptions = Field(
        default_factory=dict,
        description="By carrier, as JSON: where credentials are tried; the same as DISPATCHER_CARRIER_OPTIONS.",
    )
    bootstrap_api_key: Token | None = Field(
        default=None, description="An API key with every right, to make the first ones with; leave it out later."
    )
    ingress_token: Token = Field(description="Bearer token that opens the snapshot for ingress.")
    dispatcher_token: Token = Field(
        description="Bearer token that opens the snapshot for the dispatcher, which holds every secret."
    )
    key_ring: Annotated[SecretStr, AfterValidator(_key_ring)] = Field(
        description="Keys for secrets at rest: keyid:base64-of-32-bytes[,older:...]; the first encrypts, all decrypt."
    )
    webhook_grace_seconds: int = Field(
        default=86_400, ge=0, le=MAX_GRACE, description="How long a rotated webhook URL is still taken."
    )

    tenant_numbers_max: int = Field(
        default=100,
        ge=0,
        le=1_000_000_000,
        description="How many numbers a tenant's administrator may enter in trunks of the tenant, all together; more "
        "only a system administrator enters.",
    )

    @model_validator(mode="after")
    def _tokens_differ(self) -> Self:
        tokens = [
            token.get_secret_value()
            for token in (self.ingress_token, self.dispatcher_token, self.bootstrap_api_key)
            if token is not None
        ]
        if len(set(tokens)) != len(tokens):
            raise ValueError("CONFIG_INGRESS_TOKEN, CONFIG_DISPATCHER_TOKEN and CONFIG_BOOTSTRAP_API_KEY must differ")
        return self

    @model_validator(mode="after")
    def _password_is_no_name(self) -> Self:
        password = self.first_admin_password
        if password is not None and password.get_secret_value().casefold() == self.first_admin.casefold():
            raise ValueError("CONFIG_FIRST_ADMIN_PASSWORD must not be the user name (CONFIG_FIRST_ADMIN)")
        return self

    @property
    def portal(self) -> str:
        """Base of the portal's address."""
        # A wildcard address cannot be opened in a browser.
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104  # compared, not bound
        return self.portal_url or f"http://{host}:{self.port}"

    @property
    def keys(self) -> KeyRing:
        """The key ring."""
        return KeyRing.parse(self.key_ring.get_secret_value())

    @property
    def webhook_grace(self) -> timedelta:
        """How long a rotated webhook URL is still accepted."""
        return timedelta(seconds=self.webhook_grace_seconds)
