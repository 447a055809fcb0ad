"""The options of a process for Bandwidth: addresses, timeouts and HTTP Basic. Checked once, at the start."""

import ipaddress
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Options(BaseModel):
    """Bandwidth's addresses and the timeouts of calls. An unknown name is an error, so a misspelt one is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    messaging_url: Annotated[str, Field(description="Base of the Messaging API")] = (
        "https://messaging.bandwidth.com/api/v2"
    )
    token_url: Annotated[str, Field(description="OAuth2 token endpoint")] = (
        "https://api.bandwidth.com/api/v1/oauth2/token"  # noqa: S105 - an address, not a token
    )
    connect_timeout: Annotated[
        float, Field(gt=0, le=30, description="Seconds to get a connection: a free place in the pool, DNS, TCP and TLS")
    ] = 3.0
    total_timeout: Annotated[
        float,
        Field(gt=0, le=50, description="Seconds for one send in all, a token and the repeat after a 401 included"),
    ] = 25.0
    basic_auth: Annotated[
        bool, Field(description="Send user name and password instead of OAuth2; Bandwidth ends this on 2 December 2026")
    ] = False
    allow_insecure: Annotated[bool, Field(description="Allow http:// to other machines; for a simulator only")] = False

    @model_validator(mode="after")
    def _addresses_are_safe(self) -> Self:
        for name in ("messaging_url", "token_url"):
            _check_address(name, getattr(self, name), allow_insecure=self.allow_insecure)
        if self.connect_timeout > self.total_timeout:
            raise ValueError("connect_timeout is longer than total_timeout")
        return self


def _check_address(name: str, address: str, *, allow_insecure: bool) -> None:
    """Require https, since credentials and texts go to this address, unless it is on this machine."""
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{name} is not an http(s) address")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(f"{name} may hold no credentials, query or fragment")
    if parts.scheme == "http" and not allow_insecure and not _is_loopback(parts.hostname):
        raise ValueError(f"{name} must use https (or set allow_insecure, for a simulator)")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
