"""The stored rules and extensions of tenants. The API shows the same fields."""

from typing import ClassVar

from pydantic import BaseModel

from sms_common.messages import Category, MsgType
from sms_common.rules import Action, OutsideHours, Permission, Strategy
from sms_common.rules.outbound import RuleRoute
from sms_common.rules.senders import CallerId
from sms_config.model.hours import StoredHours
from sms_config.model.records import Record


class InboundRuleFields(BaseModel):
    """Which inbound texts a rule applies to, and where they go. Numbers are in international form."""

    tenant_id: str
    name: str
    enabled: bool
    priority: int
    channels: tuple[MsgType, ...]
    config_ids: tuple[str, ...]
    did_numbers: str
    caller_mask: str
    office: Action
    outside: Action | None
    holiday: Action | None
    own_hours: StoredHours | None


class OutboundRuleFields(BaseModel):
    """Which outbound texts a rule applies to, and by which routes they leave."""

    tenant_id: str
    name: str
    enabled: bool
    priority: int
    prefixes: str
    lengths: tuple[int, ...]
    extensions: str
    groups: tuple[str, ...]
    categories: tuple[Category, ...]
    own_hours: StoredHours | None
    closed: OutsideHours | None
    strategy: Strategy
    routes: tuple[RuleRoute, ...]


class ExtensionFields(BaseModel):
    """What an extension may do, and which senders it uses."""

    tenant_id: str
    extension: str
    permission: Permission
    caller_ids: tuple[CallerId, ...]
    groups: tuple[str, ...]


class InboundRuleRecord(Record, InboundRuleFields):
    """An inbound rule."""

    COLLECTION: ClassVar[str] = "inbound_rules"
    NOUN: ClassVar[str] = "inbound rule"

    @property
    def owner(self) -> str:
        """The tenant whose texts it applies to."""
        return self.tenant_id

    @property
    def label(self) -> str:
        """How messages to people name it."""
        return f"inbound rule {self.name}"


class OutboundRuleRecord(Record, OutboundRuleFields):
    """An outbound rule."""

    COLLECTION: ClassVar[str] = "outbound_rules"
    NOUN: ClassVar[str] = "outbound rule"

    @property
    def owner(self) -> str:
        """The tenant whose texts it applies to."""
        return self.tenant_id

    @property
    def label(self) -> str:
        """How messages to people name it."""
        return f"outbound rule {self.name}"


class ExtensionRecord(Record, ExtensionFields):
    """An extension of a tenant's PBX."""

    COLLECTION: ClassVar[str] = "extensions"
    NOUN: ClassVar[str] = "extension"

    @property
    def owner(self) -> str:
        """The tenant it belongs to."""
        return self.tenant_id

    @property
    def label(self) -> str:
        """How messages to people name it."""
        return f"extension {self.extension}"


AnyRuleRecord = InboundRuleRecord | OutboundRuleRecord | ExtensionRecord
