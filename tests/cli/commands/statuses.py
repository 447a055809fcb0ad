"""A request that was published, and the statuses that answer one."""

from datetime import UTC, datetime
from typing import Any

from sms_common.broker import Outgoing
from sms_common.events import OutboundRequest, StatusEvent, event_id
from sms_common.messages import Status
from sms_common.testing.broker import FakeBroker
from sms_common.topology import OUTBOUND, SMS, status_key

TO = "+13125550100"
WHO = ("--tenant", "acme", "--extension", "101")


def status(message_id: str, status: Status, tenant: str = "acme", **fields: Any) -> Outgoing:
    now = datetime.now(UTC)
    given = {"to": TO, "final": status.final, "sequence": status.rank, "occurred_at": now, "recorded_at": now}
    event = StatusEvent.model_validate(
        {
            "event_id": event_id(message_id, status),
            "message_id": message_id,
            "tenant_id": tenant,
            "status": status,
            **given,
            **fields,
        }
    )
    return Outgoing(SMS, status_key(tenant, status), event.encode(), event.TYPE, event.event_id)


def sent(broker: FakeBroker) -> OutboundRequest:
    (message,) = broker.waiting(OUTBOUND)
    assert (message.routing_key, message.type) == ("sms.outbound.acme", "sms.outbound.v1")
    request = OutboundRequest.model_validate_json(message.body)
    assert message.message_id == request.message_id
    return request
