"""Requests, configurations, entries and events for the dispatcher's tests: valid by default, changed by keyword."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from sms_common.configuration import DidPool, DispatcherSnapshot, SmsConfig, Tenant
from sms_common.events import CarrierInboundEvent, CarrierReceiptEvent, OutboundRequest
from sms_common.messages import MsgType, Status
from sms_dispatcher.ledger.entries import EntryKind, LedgerEntry

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DID = "+12025550143"
HANDSET = "+14045550121"


def config(**changes: Any) -> SmsConfig:
    values: dict[str, Any] = {
        "id": "cfg",
        "tenant_id": "acme",
        "name": "Main line",
        "carrier": "fake",
        "trunk_id": "trunk",
        "brand": "Fake",
        "default_did": DID,
        "credentials": {"account_id": SecretStr("5500001")},
    }
    return SmsConfig(**{**values, **changes})


def snapshot(*configs: SmsConfig, **changes: Any) -> DispatcherSnapshot:
    values: dict[str, Any] = {
        "version": "1",
        "tenants": (Tenant(id="acme", name="Acme"), Tenant(id="other", name="Other")),
        "pools": (
            DidPool(tenant_id="acme", trunk_id="trunk", numbers="+12025550140-+12025550149"),
            DidPool(tenant_id="other", trunk_id="trunk2", numbers="+13035550100"),
        ),
        "configs": configs or (config(),),
    }
    return DispatcherSnapshot(**{**values, **changes})


def request(**changes: Any) -> OutboundRequest:
    values: dict[str, Any] = {
        "message_id": "m-1",
        "tenant_id": "acme",
        "extension": "101",
        "to": HANDSET,
        "text": "Hello",
    }
    return OutboundRequest.model_validate({**values, **changes})


def entry(**changes: Any) -> LedgerEntry:
    values: dict[str, Any] = {
        "tenant_id": "acme",
        "message_id": "m-1",
        "kind": EntryKind.SINGLE,
        "status": Status.ACCEPTED,
        "created_at": NOW,
        "updated_at": NOW,
        "config_id": "cfg",
        "carrier": "fake",
        "sender": DID,
        "to": (HANDSET,),
        "text": "Hello",
    }
    return LedgerEntry(**{**values, **changes})


def receipt(status: Status = Status.DELIVERED, **changes: Any) -> CarrierReceiptEvent:
    values: dict[str, Any] = {
        "event_id": f"e-{status}",
        "carrier": "fake",
        "config_id": "cfg",
        "tenant_id": "acme",
        "carrier_message_id": "fake-1",
        "carrier_event": f"message-{status}",
        "reference": "acme/m-1",
        "recipient": HANDSET,
        "sender": DID,
        "status": status,
        "occurred_at": NOW + timedelta(seconds=3),
        "received_at": NOW + timedelta(seconds=4),
    }
    return CarrierReceiptEvent(**{**values, **changes})


def arrived(**changes: Any) -> CarrierInboundEvent:
    values: dict[str, Any] = {
        "event_id": "i-1",
        "carrier": "fake",
        "config_id": "cfg",
        "tenant_id": "acme",
        "carrier_message_id": "in-1",
        "carrier_event": "message-received",
        "sender": HANDSET,
        "did": DID,
        "recipients": (DID,),
        "msg_type": MsgType.SMS,
        "text": "Hi there",
        "occurred_at": NOW,
        "received_at": NOW,
    }
    return CarrierInboundEvent(**{**values, **changes})
