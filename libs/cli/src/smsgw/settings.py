"""The settings of the command: variables with the prefix SMSGW_, from the environment or from the .env of `make up`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from sms_common.input.pasted import trimmed
from sms_common.input.patterns import ID_PATTERN
from sms_common.service.process import load_settings
from sms_common.service.settings import AmqpUrl, HttpUrl, ProcessSettings, Token, value_of

DEFAULT_ENV_FILE = Path(".env")
_HERE = "127.0.0.1"


class CliSettings(ProcessSettings):
    """The gateway's addresses and credentials. Every secret is optional: a command says which one it needs."""

    model_config = SettingsConfigDict(env_prefix="SMSGW_")

    amqp_url: AmqpUrl | None = Field(default=None, description="RabbitMQ, e.g. amqp://user:password@host:5672/vhost")
    config_url: HttpUrl = Field(default=f"http://{_HERE}:8081", description="Base address of the config service")
    api_key: Token | None = Field(default=None, description="API key for the config service")
    dispatcher_url: HttpUrl = Field(
        default=f"http://{_HERE}:8082", description="Base address of the dispatcher's internal port"
    )
    dispatcher_token: Token | None = Field(
        default=None, description="Token for the dispatcher's message history (DISPATCHER_READ_TOKEN)"
    )
    ingress_url: HttpUrl = Field(
        default=f"http://{_HERE}:9080", description="Base address of ingress's internal port (health)"
    )
    ca_file: Path | None = Field(
        default=None,
        description="Certificates (PEM) to trust for HTTPS instead of the system's, for a private authority",
    )
    tenant: str | None = Field(default=None, pattern=ID_PATTERN, description="The tenant when --tenant is not given")
    extension: str | None = Field(default=None, max_length=64, description="The sender's extension for `send`")
    timeout: float = Field(
        default=10.0, gt=0, le=300, allow_inf_nan=False, description="Seconds to wait for an answer of each service"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, and in the file SMSGW_ names win over those of `make up`."""
        assert isinstance(dotenv_settings, DotEnvSettingsSource)
        local = _LocalStack(settings_cls, dotenv_settings.env_vars)
        return init_settings, env_settings, dotenv_settings, local, file_secret_settings


class _LocalStack(PydanticBaseSettingsSource):
    """Reads the .env of `make up`, whose gateway runs on this machine."""

    def __init__(self, settings_cls: type[BaseSettings], variables: Mapping[str, str | None]) -> None:
        super().__init__(settings_cls)
        self._variables = {name.upper(): value for name, value in variables.items() if value}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002  # the base class asks for it
        """Return one field's value, as the base class requires."""
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {
            "amqp_url": self._amqp_url(),
            "config_url": self._address("CONFIG_PORT"),
            "api_key": self._variables.get("CONFIG_BOOTSTRAP_API_KEY"),
            "dispatcher_url": self._address("DISPATCHER_PORT"),
            # .env has the former name, which compose reads.
            "dispatcher_token": value_of("DISPATCHER_READ_TOKEN", self._variables),
            "ingress_url": self._address("INGRESS_HEALTH_PORT"),
        }
        return {name: value for name, value in found.items() if value is not None}

    def _address(self, port: str) -> str | None:
        return f"http://{_HERE}:{self._variables[port]}" if port in self._variables else None

    def _amqp_url(self) -> str | None:
        user, password = self._variables.get("RABBITMQ_USER", "sms"), self._variables.get("RABBITMQ_PASSWORD")
        if password is None:
            return None
        account = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"amqp://{account}@{_HERE}:{self._variables.get('AMQP_PORT', '5672')}/"


def load(env_file: Path | None) -> CliSettings:
    """Read the environment and `env_file`, if given. Exits with status 2 after saying which settings are invalid."""

    class Loaded(CliSettings):
        model_config = SettingsConfigDict(env_file=env_file)

    return load_settings(Loaded)


def secret_from_environment(name: str) -> SecretStr | None:
    """Return the secret in a variable that a configuration file names, or None if it is unset or empty."""
    value = trimmed(os.environ.get(name, ""))
    return SecretStr(value) if value else None
