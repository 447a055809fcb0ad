"""The simulator's settings, read from `SIMULATOR_*` environment variables or given by a test."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, Field, SecretStr

from carrier_simulator.carrier.accounts import SimulatedAccount
from sms_common.service.settings import (
    Count,
    Host,
    HttpUrl,
    LogFormat,
    LogLevel,
    Port,
    ProcessSettings,
    Seconds,
    SettingsConfigDict,
)

__all__ = ["SimulatorSettings"]


class SimulatorSettings(ProcessSettings):
    """Everything that can be set before the start; times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="SIMULATOR_")

    host: Host = Field("127.0.0.1", description="Address to listen on")
    port: Port = Field(8090, description="Port to listen on; 0 takes a free one")
    log_format: LogFormat = Field("auto", description="Form of the log lines")
    log_level: LogLevel = Field("info", description="Lowest level that is logged")
    public_url: HttpUrl | None = Field(
        None, description="Base of the media URLs in inbound messages; by default the address it listens on"
    )
    control_token: SecretStr | None = Field(
        None, description="Bearer token of the control API; without one, only loopback clients may use it"
    )
    accounts: tuple[SimulatedAccount, ...] = Field((), description="Accounts to start with (JSON, see README)")

    token_expires_in: Seconds = Field(3600, description="Life of an access token")
    basic_until: AwareDatetime | None = Field(
        datetime(2026, 12, 2, tzinfo=UTC),
        description="Moment from which user name and password are refused; null never refuses them",
    )

    sent_delay: Seconds = Field(0.05, description="From leaving the account queue to message-sent")
    final_delay: Seconds = Field(0.1, description="From leaving the account queue to the final status")
    late_delay: Seconds = Field(30, description="The same for a recipient that answers late (suffix 9002)")
    receipt_window: Seconds = Field(
        10, description="Wait for a delivery receipt before 9902 (Bandwidth waits 262800, which is 73 h)"
    )

    webhook_timeout: Seconds = Field(10, description="Longest time a webhook may take to be answered")
    webhook_retry_delays: tuple[Seconds, ...] = Field(
        (1, 5, 15, 60, 300, 900, 1800, 3600),
        min_length=1,
        description="Waits between tries of a webhook; the last one repeats. Bandwidth's own are not published",
    )
    webhook_retry_window: Seconds = Field(86400, description="Time after which a webhook is given up")
    webhook_authentication: Literal["challenge", "preemptive", "none"] = Field(
        "challenge",
        description="challenge: credentials only after a 401 with WWW-Authenticate; preemptive: at once; none: never",
    )
    webhook_concurrency: Count = Field(64, description="Webhook requests at the same time")
    webhook_backlog: Count = Field(500_000, description="Webhooks that may wait; more are dropped and counted")

    fetch_media: Literal["local", "all", "none"] = Field(
        "local",
        description="Which outbound media URLs are fetched: `local` is loopback and the simulator's own",
    )
    media_lifetime: Seconds = Field(172_800, description="Time after which stored media disappears (48 h)")
    media_page_size: Count = Field(1000, description="Items a page of the media list")
    media_storage: Count = Field(268_435_456, description="Bytes of media kept; above this the oldest is deleted first")

    list_rate_limit: Count = Field(3500, description="GET messages allowed per source address in five minutes")
    arrivals_limit: Count = Field(100_000, description="Accepted messages remembered; the oldest is forgotten first")
    attempts_limit: Count = Field(100_000, description="Webhook requests remembered; the oldest is forgotten first")
    seed: int = Field(0, description="Seed of faults that occur with a probability")
