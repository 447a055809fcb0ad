"""The entries for rules, extensions and hours. Other objects are named by their names. The API checks the values."""

from datetime import date
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from smsgw.bulk.entry import Name, StrictEntry, TenantId

# From 1:00 on. Earlier times begin with a 0, so YAML reads them as text. A smaller number is not a time.
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
    """A span of opening hours, from HH:MM to HH:MM."""

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
    """One route. `config` is the name of an SMS configuration of the tenant."""

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
    """A number that an extension may send as. `trunk` is the name of a trunk of the tenant, or of one lent to it."""

    number: str
    trunk: Name
    description: str = ""


class ExtensionEntry(StrictEntry):
    """Whether an extension may send, and as which numbers."""

    tenant: TenantId
    extension: Name
    permission: str = "ALLOW_WITH_SENDER_ID"
    caller_ids: list[ExtensionCallerIdEntry] = Field(default=[])
    groups: list[Name] = Field(default=[])


class RoutingEntry(StrictEntry):
    """A tenant's hours and blocked senders. Its time zone is set with the tenant."""

    tenant: TenantId
    hours: HoursEntry | None = None
    holidays: list[Day] = Field(default=[])
    blocked_senders: str = ""
    unlisted_extensions: str = "ALLOW_WITH_SENDER_ID"
