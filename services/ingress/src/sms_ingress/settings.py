"""The settings of this process: environment variables with the prefix INGRESS_, read once."""

from typing import Annotated

from pydantic import Field

from sms_common.service.settings import (
    AmqpUrl,
    Count,
    Host,
    HttpUrl,
    LogFormat,
    LogLevel,
    Networks,
    Port,
    ProcessSettings,
    SettingsConfigDict,
    Token,
)


class IngressSettings(ProcessSettings):
    """The settings of ingress."""

    model_config = SettingsConfigDict(env_prefix="INGRESS_")

    host: Annotated[Host, Field(description="Address of the public port.")] = "127.0.0.1"
    port: Annotated[Port, Field(description="Public port: webhooks and nothing else.")] = 8080
    health_host: Annotated[Host, Field(description="Address of the internal port.")] = "127.0.0.1"
    health_port: Annotated[Port, Field(description="Internal port: /healthz, /readyz and /metrics.")] = 9080
    amqp_url: Annotated[AmqpUrl, Field(description="RabbitMQ, e.g. amqp://user:password@host:5672/vhost.")]
    config_url: Annotated[HttpUrl, Field(description="Base address of the config service.")] = "http://127.0.0.1:8081"
    config_token: Annotated[Token, Field(description="Bearer token for the snapshot of ingress.")]
    trusted_proxies: Annotated[
        Networks,
        Field(
            description="Addresses or networks (10.0.0.0/8) of the reverse proxies whose X-Forwarded-For is believed."
        ),
    ] = ()
    deadline_seconds: Annotated[
        float,
        Field(
            description="The longest a webhook may wait for its answer; carriers give up at 10.",
            gt=0,
            le=9,
            allow_inf_nan=False,
        ),
    ] = 5.0
    concurrent_requests: Annotated[
        Count, Field(description="Webhooks in hand at a time, of up to 256 KiB each; above it 503.")
    ] = 500
    leave_seconds: Annotated[
        float,
        Field(
            description="How long to go on answering after a signal, until load balancers have noticed.",
            ge=0,
            le=60,
            allow_inf_nan=False,
        ),
    ] = 5.0
    log_format: Annotated[LogFormat, Field(description="auto: console on a terminal, else JSON.")] = "auto"
    log_level: Annotated[LogLevel, Field(description="The least serious lines to log.")] = "info"
