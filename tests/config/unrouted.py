"""An inbound text that nobody got, as it lies among the unrouted messages."""

import json
from pathlib import Path

from sms_common.broker import Outgoing
from sms_common.events import InboundEvent
from sms_common.topology import UNROUTED, inbound_key

UNROUTED_MESSAGES = "/api/v1/unrouted"
_SAMPLE = Path(__file__).parents[1] / "data" / "events" / "sms.inbound.v1.json"


def unowned(message_id="i1", *, key=None, **changes):
    event = json.loads(_SAMPLE.read_text())
    del event["tenant_id"]
    event.update(changes)
    return Outgoing(
        exchange=UNROUTED,
        routing_key=key or inbound_key("-", event["did"]),
        body=json.dumps(event).encode(),
        type=InboundEvent.TYPE,
        message_id=message_id,
        headers={"x-code": "unrouted_did"},
    )
