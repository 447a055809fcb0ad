"""The dead letter that keeps a webhook nobody could read, or nobody acts on."""

import hashlib
from collections.abc import Iterable, Sequence

from sms_common import topology
from sms_common.broker import FROM_WEBHOOKS, Outgoing, dead_letter
from sms_common.configuration import WebhookEndpoint
from sms_common.errors import Code
from sms_common.events import event_id

# The property `type`: what is in it is a carrier's body as it came, not an event.
TYPE = "webhook"

_LONGEST = 500


def unreadable(body: bytes, endpoint: WebhookEndpoint, reasons: Sequence[str], kinds: Iterable[str]) -> Outgoing:
    """Keep a body in which something could not be read: one of `reasons` for each such element."""
    more = f" And {len(reasons) - 1} more." if len(reasons) > 1 else ""
    return _letter(body, endpoint, Code.WEBHOOK_UNREADABLE, reasons[0][:_LONGEST] + more, kinds)


def not_handled(body: bytes, endpoint: WebhookEndpoint, kinds: Iterable[str]) -> Outgoing:
    """Keep a body that holds events of `kinds` nobody here acts on."""
    return _letter(body, endpoint, Code.WEBHOOK_NOT_HANDLED, "Nothing here acts on an event of this kind.", kinds)


def _letter(body: bytes, endpoint: WebhookEndpoint, code: Code, reason: str, kinds: Iterable[str]) -> Outgoing:
    """Keep `body` byte for byte. A webhook that comes again has the same id; `reason` holds no number and no text."""
    headers = {
        "x-carrier": endpoint.carrier,
        "x-config-id": endpoint.config_id,
        "x-tenant-id": endpoint.tenant_id,
        "x-kind": ", ".join(dict.fromkeys(kinds))[:_LONGEST],
    }
    return dead_letter(
        body,
        code,
        reason,
        source=FROM_WEBHOOKS,  # a person sends it on by having its body posted to the webhook again
        routing_key=topology.carrier_key(endpoint.carrier, endpoint.config_id),
        type=TYPE,
        message_id=event_id(TYPE, endpoint.carrier, endpoint.config_id, hashlib.sha256(body).hexdigest()),
        headers={name: value for name, value in headers.items() if value},
    )
