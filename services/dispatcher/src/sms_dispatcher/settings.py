"""The dispatcher's settings: the environment of the process, read once at its start."""

import math
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
    Port,
    ProcessSettings,
    SettingsConfigDict,
    Token,
)
from sms_dispatcher.delivery.attempts import Patience


def _known_to_the_driver(value: SecretStr) -> SecretStr:
    check_address(value.get_secret_value())
    return value


class DispatcherSettings(ProcessSettings):
    """Environment variables with the prefix DISPATCHER_."""

    model_config = SettingsConfigDict(env_prefix="DISPATCHER_")

    host: Annotated[Host, Field(description="Address of the internal port")] = "127.0.0.1"
    port: Annotated[Port, Field(description="Internal port: health, metrics and the read API")] = 8082
    amqp_url: Annotated[AmqpUrl, Field(description="RabbitMQ, e.g. amqp://user:password@host:5672/vhost")]
    mongo_url: Annotated[
        MongoUrl, AfterValidator(_known_to_the_driver), Field(description="MongoDB replica set of the ledger")
    ]
    mongo_database: Annotated[DatabaseName, Field(description="The ledger's database")] = "sms_dispatcher"
    config_url: Annotated[HttpUrl, Field(description="Base address of the config service")] = "http://127.0.0.1:8081"
    config_token: Annotated[Token, Field(description="Token for the dispatcher's snapshot")]
    read_token: Annotated[Token, Field(description="Bearer token of the read API")]
    carrier_options: Annotated[
        CarrierOptions,
        Field(description="By carrier, as JSON: addresses and timeouts", default_factory=dict),
    ]
    outbound_prefetch: Annotated[int, Field(description="Requests worked on at a time", ge=1, le=2000)] = 200
    carrier_prefetch: Annotated[int, Field(description="Carrier events worked on at a time", ge=1, le=2000)] = 200
    lane_prefetch: Annotated[int, Field(description="Messages of one lane in flight to the carrier", ge=1, le=500)] = 64
    retention_days: Annotated[int, Field(description="Days a message stays in the ledger", ge=7, le=3650)] = 90
    receipt_window_hours: Annotated[
        float,
        Field(
            description="Hours to wait for a final receipt before a message is undetermined",
            gt=0,
            le=720,
            allow_inf_nan=False,
        ),
    ] = 100
    reconcile_after_minutes: Annotated[
        float,
        Field(
            description="Minutes after a lost answer until the carrier's list of messages is read",
            gt=0,
            le=43_200,
            allow_inf_nan=False,
        ),
    ] = 10
    due_every: Annotated[
        float,
        Field(
            description="Seconds between checks for entries that are due, 20 % more or less",
            gt=0,
            le=60,
            allow_inf_nan=False,
        ),
    ] = 1.0
    log_format: Annotated[LogFormat, Field(description="How log lines look")] = "auto"
    log_level: Annotated[LogLevel, Field(description="Lowest level logged")] = "info"

    @model_validator(mode="after")
    def _messages_are_kept_until_they_end(self) -> Self:
        """A message may wait a day until it is sent, and then for its receipt. One more day is a reserve."""
        days = math.ceil(self.receipt_window_hours / 24) + 2
        if self.retention_days < days:
            raise ValueError(
                f"DISPATCHER_RETENTION_DAYS must be at least {days} with this DISPATCHER_RECEIPT_WINDOW_HOURS"
            )
        return self

    @property
    def retention(self) -> timedelta:
        """How long a message stays in the ledger."""
        return timedelta(days=self.retention_days)

    @property
    def patience(self) -> Patience:
        """How long a lost answer is waited for."""
        return Patience(timedelta(minutes=self.reconcile_after_minutes), timedelta(hours=self.receipt_window_hours))
