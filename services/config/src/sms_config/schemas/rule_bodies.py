"""The bodies for rules, extensions and default routing. The resources check what needs stored data."""

from pydantic import Field

from sms_common.messages import MsgType
from sms_common.rules import Permission, Strategy
from sms_config.model.hours import OpenHours
from sms_config.schemas.bodies import Body
from sms_config.schemas.fields import Name, Reference, TimeZone
from sms_config.schemas.rule_entries import (
    CallerIds,
    Categories,
    Channels,
    ClosedWord,
    Days,
    Destination,
    ExtensionMask,
    ExtensionNumber,
    Groups,
    Lengths,
    Mask,
    PermissionWord,
    Prefixes,
    Priority,
    References,
    Routes,
    StrategyWord,
)


class InboundRuleWrite(Body):
    """Which texts that come in a rule is for, and where they go. `outside` and `holiday` null: as in office hours."""

    name: Name
    enabled: bool = True
    priority: Priority = 1000
    channels: Channels = Field(default=list(MsgType))
    config_ids: References = Field(default=[], description="The SMS configurations it is for; empty is any.")
    did_numbers: Mask = Field(default="", description="Which of the tenant's numbers; empty is any.")
    caller_mask: Mask = ""
    office: Destination = Destination()
    outside: Destination | None = None
    holiday: Destination | None = None
    own_hours: OpenHours | None = Field(default=None, description="In place of the tenant's.")


class InboundRuleCreate(InboundRuleWrite):
    """A new inbound rule."""

    tenant_id: Reference | None = Field(default=None, description="May be left out by a key for one tenant.")


class OutboundRuleWrite(Body):
    """Which texts that go out a rule is for, and by which routes they leave. At least one condition is needed."""

    name: Name
    enabled: bool = True
    priority: Priority = 1000
    prefixes: Prefixes = ""
    lengths: Lengths = Field(default=[])
    extensions: ExtensionMask = ""
    groups: Groups = Field(default=[])
    categories: Categories = Field(default=[])
    own_hours: OpenHours | None = Field(default=None, description="In place of the tenant's.")
    closed: ClosedWord | None = Field(
        default=None, description="What happens outside the hours: block refuses, hold keeps it; null sends anyway."
    )
    strategy: StrategyWord = Strategy.PRIORITIZED
    routes: Routes


class OutboundRuleCreate(OutboundRuleWrite):
    """A new outbound rule."""

    tenant_id: Reference | None = Field(default=None, description="May be left out by a key for one tenant.")


class ExtensionWrite(Body):
    """What an extension may do, and as whom it sends."""

    extension: ExtensionNumber
    permission: PermissionWord = Permission.ALLOW_WITH_SENDER_ID
    caller_ids: CallerIds = Field(default=[])
    groups: Groups = Field(default=[])


class ExtensionCreate(ExtensionWrite):
    """A new extension."""

    tenant_id: Reference | None = Field(default=None, description="May be left out by a key for one tenant.")


class RoutingWrite(Body):
    """A tenant's hours, holidays, blocked senders, and what extensions may do that are not listed."""

    time_zone: TimeZone = "UTC"
    hours: OpenHours | None = Field(default=None, description="When the office is open; null is always.")
    holidays: Days = Field(default=[])
    blocked_senders: Mask = ""
    unlisted_extensions: PermissionWord = Field(
        default=Permission.ALLOW_WITH_SENDER_ID,
        description="What an extension may do that is not among the tenant's; DISABLE refuses its texts.",
    )


class RoutingOf(Body):
    """The tenant whose default routing it is."""

    tenant_id: Reference | None = Field(
        default=None, description="May be left out with a credential for one tenant, or with the header X-Tenant."
    )
