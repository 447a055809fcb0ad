"""Rules: who gets an inbound text; by which route, and with which sender, an outbound text is sent. Rules are data, and
decisions are pure functions.

The same functions decide in the dispatcher and explain in the config service. A decision holds its reasons.
"""

from sms_common.rules.extensions import extension_form
from sms_common.rules.hours import Period, Schedule, WeeklyHours
from sms_common.rules.inbound import Action, ActionKind, InboundDecision, InboundQuery, InboundRule, InboundRules
from sms_common.rules.masks import NumberMask
from sms_common.rules.mistakes import InvalidMask
from sms_common.rules.outbound import (
    OutboundDecision,
    OutboundQuery,
    OutboundRule,
    OutboundRules,
    OutsideHours,
    RuleRoute,
    Strategy,
)
from sms_common.rules.senders import Extension, Permission, SenderQuery, SenderRefused, choose_sender, why_disabled
from sms_common.rules.verdicts import Verdict

__all__ = [
    "Action",
    "ActionKind",
    "Extension",
    "InboundDecision",
    "InboundQuery",
    "InboundRule",
    "InboundRules",
    "InvalidMask",
    "NumberMask",
    "OutboundDecision",
    "OutboundQuery",
    "OutboundRule",
    "OutboundRules",
    "OutsideHours",
    "Period",
    "Permission",
    "RuleRoute",
    "Schedule",
    "SenderQuery",
    "SenderRefused",
    "Strategy",
    "Verdict",
    "WeeklyHours",
    "choose_sender",
    "extension_form",
    "why_disabled",
]
