"""The settings of this process: environment variables with the prefix INGRESS_, read once."""

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from sms_common.telemetry import LogFormat, LogLevel

Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """Everything ingress is told from outside."""

    model_config = SettingsConfigDict(
        env_prefix="INGRESS_", env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    host: Annotated[str, Field(description="Address of the public port.")] = "127.0.0.1"
    port: Annotated[Port, Field(description="Public port: webhooks and nothing else.")] = 8080
    health_host: Annotated[str, Field(description="Address of the internal port.")] = "127.0.0.1"
    health_port: Annotated[Port, Field(description="Internal port: /healthz, /readyz and /metrics.")] = 9080
    amqp_url: Annotated[SecretStr, Field(description="RabbitMQ, e.g. amqp://user:password@host:5672/vhost.")]
    config_url: Annotated[str, Field(description="Base address of the config service.")] = "http://127.0.0.1:8081"
    config_token: Annotated[SecretStr, Field(description="Bearer token for the snapshot of ingress.")]
    deadline_seconds: Annotated[
        float, Field(description="The longest a webhook may wait for its answer; carriers give up at 10.", gt=0, le=9)
    ] = 5.0
    concurrent_requests: Annotated[
        int, Field(description="Webhooks in hand at a time, of up to 256 KiB each; above it 503.", ge=1)
    ] = 500
    leave_seconds: Annotated[
        float,
        Field(
            description="How long to go on answering after a signal, until load balancers have noticed.", ge=0, le=60
        ),
    ] = 5.0
    log_format: Annotated[LogFormat, Field(description="auto: console on a terminal, else JSON.")] = "auto"
    log_level: Annotated[LogLevel, Field(description="The least serious lines to log.")] = "info"
