"""What the settings of all services have in common: their base, and the types that check a value at the start.

Every value loses what nobody sees at its ends; what then cannot be used ends the process with one line that names the
setting and holds nothing of the value.
"""

import json
import os
import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Final, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from sms_common.carriers import CARRIERS
from sms_common.http.proxies import Network, read_networks
from sms_common.input import addresses
from sms_common.input.pasted import printable_ascii, trimmed
from sms_common.telemetry import LogFormat, LogLevel

# Kubernetes gives every container such variables for each service of its namespace: for a service named "ingress"
# INGRESS_PORT=tcp://10.0.0.1:8080.
_SERVICE_LINK: Final = re.compile(r"(?:tcp|udp|sctp)://\S+", re.IGNORECASE)
# Of a duration or a count: more is a slip of the keyboard, and too much for the system's clocks.
LONGEST: Final = 1_000_000_000
# Names that variables had in release 1.0. They are read where the new one is not set, until the release after this one.
FORMER_NAMES: Final[Mapping[str, str]] = {
    "DISPATCHER_READ_TOKEN": "DISPATCHER_API_TOKEN",
    "CONFIG_DISPATCHER_READ_TOKEN": "CONFIG_DISPATCHER_API_TOKEN",
}


def _secret(check: Any) -> Any:
    """A check of a text as one of a secret."""

    def checked(value: SecretStr) -> SecretStr:
        return SecretStr(check(value.get_secret_value()))

    return AfterValidator(checked)


def _json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("must be JSON") from None


def _carrier_options(value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    for name, options in value.items():
        make = CARRIERS.get(name)
        if make is None:
            raise ValueError(f"there is no carrier {name[:32]!r}; there is {', '.join(CARRIERS)}")
        try:
            make(None, options)
        except ValidationError as error:
            raise ValueError("; ".join(_option(name, found) for found in error.errors(include_input=False))) from None
    return value


def _option(carrier: str, found: Mapping[str, Any]) -> str:
    name = ".".join((carrier, *(str(part)[:64] for part in found["loc"])))
    said = "there is no such option" if found["type"] == "extra_forbidden" else sentence(found["msg"])
    return f"{name}: {said}"


def _networks(value: object) -> object:
    return read_networks(value) if isinstance(value, str) else value


Host: TypeAlias = Annotated[str, AfterValidator(addresses.host)]
Port: TypeAlias = Annotated[int, Field(ge=0, le=65_535)]
HttpUrl: TypeAlias = Annotated[str, AfterValidator(addresses.http_base)]
PublicUrl: TypeAlias = Annotated[str, AfterValidator(addresses.public_base)]
PortalUrl: TypeAlias = Annotated[str, AfterValidator(addresses.root)]
AmqpUrl: TypeAlias = Annotated[SecretStr, _secret(addresses.amqp_url)]
MongoUrl: TypeAlias = Annotated[SecretStr, _secret(addresses.mongo_url)]
# What MongoDB takes as the name of a database.
DatabaseName: TypeAlias = Annotated[str, Field(pattern=r'^[^/\\. "$*<>:|?\x00-\x20\x7f]{1,63}$')]
# What goes into an HTTP header as it is.
Token: TypeAlias = Annotated[SecretStr, Field(min_length=1), _secret(partial(printable_ascii, blanks=True))]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=LONGEST, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=1, le=LONGEST)]
CarrierOptions: TypeAlias = Annotated[
    dict[str, dict[str, Any]], NoDecode, BeforeValidator(_json), AfterValidator(_carrier_options)
]
Networks: TypeAlias = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]

__all__ = [
    "FORMER_NAMES",
    "LONGEST",
    "AmqpUrl",
    "CarrierOptions",
    "Count",
    "DatabaseName",
    "Host",
    "HttpUrl",
    "LogFormat",
    "LogLevel",
    "MongoUrl",
    "Networks",
    "Port",
    "PortalUrl",
    "ProcessSettings",
    "PublicUrl",
    "Seconds",
    "SettingsConfigDict",
    "Token",
    "sentence",
    "value_of",
]


def value_of(name: str, variables: Mapping[str, str]) -> str | None:
    """The value of the variable `name`, or else of the name that it had before. None: neither is set, or both empty."""
    return variables.get(name) or variables.get(FORMER_NAMES.get(name, name)) or None


class _FormerNames(PydanticBaseSettingsSource):
    """Reads variables under the names that they had before."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002  # the base class asks for it
        """Return one field's value, as the base class requires."""
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        assert issubclass(self.settings_cls, ProcessSettings)
        former = {name: FORMER_NAMES.get(self.settings_cls.variable(name)) for name in self.settings_cls.model_fields}
        return {name: os.environ[one] for name, one in former.items() if one is not None and os.environ.get(one)}


class ProcessSettings(BaseSettings):
    """The base of every settings class: where its values come from, and what is done to all of them first."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    _passed_over: tuple[str, ...] = PrivateAttr(default=())
    _PORTS: ClassVar[str] = "port"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take a variable under its former name where the new one is not set."""
        return init_settings, env_settings, _FormerNames(settings_cls), dotenv_settings, file_secret_settings

    @model_validator(mode="wrap")
    @classmethod
    def _clean(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Trim every text, take one of blanks for none, and pass over what Kubernetes put in place of a port."""
        if not isinstance(values, Mapping):
            return handler(values)
        links = [name for name, value in values.items() if cls._is_link(name, value)]
        trim = {name: trimmed(value) if isinstance(value, str) else value for name, value in values.items()}
        kept = {name for name in trim if (trim[name] or not values[name]) and name not in links}
        settings = handler({name: trim[name] for name in trim if name in kept})
        settings._passed_over = tuple(cls.variable(name) for name in links)  # noqa: SLF001  # it is one of its own
        return settings

    @classmethod
    def _is_link(cls, name: str, value: object) -> bool:
        return (
            name.endswith(cls._PORTS) and isinstance(value, str) and _SERVICE_LINK.fullmatch(trimmed(value)) is not None
        )

    @classmethod
    def variable(cls, name: str) -> str:
        """The name of a setting as the environment has it."""
        return f"{cls.model_config.get('env_prefix', '')}{name}".upper()

    @property
    def renamed(self) -> Mapping[str, str]:
        """The former names that values came from, each with the name to use instead."""
        names = [name for name in map(self.variable, type(self).model_fields) if name in FORMER_NAMES]
        return {
            FORMER_NAMES[name]: name
            for name in names
            if not os.environ.get(name) and os.environ.get(FORMER_NAMES[name])
        }

    @property
    def passed_over(self) -> tuple[str, ...]:
        """The variables that Kubernetes made for a service of the same name, and that count as not set."""
        return self._passed_over


def sentence(message: str) -> str:
    """What pydantic says about a value, as a person says it."""
    said = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    said = said.removeprefix("Input ").removeprefix("Value ").replace("should ", "must ", 1)
    said = said.replace("Field required", "must be set")
    return said.partition(", unable to parse string as")[0]
