"""What the file says of rules, extensions and hours. Others are named by their names; the API checks what is said."""

from datetime import date
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from smsgw.bulk.entry import Name, StrictEntry, TenantId

# From 1:00 on; earlier times begin with a 0, which makes them text. A 9 is no time: nobody knows of what.
_MINUTES: Final = range(60, 24 * 60 + 1)


def _time(value: object) -> object:
    """YAML reads 17:00 without quotes as a number of base sixty."""
    if isinstance(value, bool) or not isinstance(value, int) or value not in _MINUTES:
        return value
    return f"{value // 60:02}:{value % 60:02}"


def _day(value: object) -> object:
    """YAML reads 2026-12-25 without quotes as a date."""
    return value.isoformat() if isinstance(value, date) else value


TimeOfDay = Annotated[str, BeforeValidator(_time)]
Day = Annotated[str, BeforeValidator(_day)]


class SpanEntry(StrictEntry):
    """Open from a time to a time, HH:MM."""

    opens: TimeOfDay
    closes: TimeOfDay


class HoursEntry(StrictEntry):
    """When the office is open on each weekday."""

    monday: list[SpanEntry] = Field(default=[])
    tuesday: list[SpanEntry] = Field(default=[])
    wednesday: list[SpanEntry] = Field(default=[])
    thursday: list[SpanEntry] = Field(default=[])
    friday: list[SpanEntry] = Field(default=[])
    saturday: list[SpanEntry] = Field(default=[])
    sunday: list[SpanEntry] = Field(default=[])


class DestinationEntry(StrictEntry):
    """Where a text goes."""

    kind: str = "extension"
    destination: str = "0"


class InboundRuleEntry(StrictEntry):
    """An inbound rule. `configs` are names of the tenant's SMS configurations."""

    tenant: TenantId
    name: Name
    enabled: bool = True
    priority: int = 1000
    channels: list[str] = Field(default=["SMS", "MMS"])
    configs: list[Name] = Field(default=[])
    did_numbers: str = ""
    caller_mask: str = ""
    office: DestinationEntry = DestinationEntry()
    outside: DestinationEntry | None = None
    holiday: DestinationEntry | None = None
    own_hours: HoursEntry | None = None


class OutboundRouteEntry(StrictEntry):
    """One way out. `config` is the name of an SMS configuration of the tenant."""

    config: Name
    enabled: bool = True
    strip_digits: int = 0
    prepend: str = ""
    caller_id: str | None = None
    weight: int = 1


class OutboundRuleEntry(StrictEntry):
    """An outbound rule."""

    tenant: TenantId
    name: Name
    enabled: bool = True
    priority: int = 1000
    prefixes: str = ""
    lengths: list[int] = Field(default=[])
    extensions: str = ""
    groups: list[Name] = Field(default=[])
    categories: list[str] = Field(default=[])
    own_hours: HoursEntry | None = None
    closed: str | None = None
    strategy: str = "PRIORITIZED"
    routes: Annotated[list[OutboundRouteEntry], Field(min_length=1)]


class ExtensionCallerIdEntry(StrictEntry):
    """A number that an extension may show. `trunk` is the name of a trunk of the tenant, or of one lent to it."""

    number: str
    trunk: Name
    description: str = ""


class ExtensionEntry(StrictEntry):
    """What an extension may do, and as whom it sends."""

    tenant: TenantId
    extension: Name
    permission: str = "ALLOW_WITH_SENDER_ID"
    caller_ids: list[ExtensionCallerIdEntry] = Field(default=[])
    groups: list[Name] = Field(default=[])


class RoutingEntry(StrictEntry):
    """A tenant's hours and the senders it blocks; its time zone stands with the tenant."""

    tenant: TenantId
    hours: HoursEntry | None = None
    holidays: list[Day] = Field(default=[])
    blocked_senders: str = ""
    unlisted_extensions: str = "ALLOW_WITH_SENDER_ID"
