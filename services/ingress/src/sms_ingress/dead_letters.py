"""Dead letters for webhooks that cannot be read, or that nothing handles."""

import hashlib
from collections.abc import Iterable, Sequence

from sms_common import topology
from sms_common.broker import FROM_WEBHOOKS, Outgoing, dead_letter
from sms_common.configuration import WebhookEndpoint
from sms_common.errors import Code
from sms_common.events import event_id

# The property `type`: the body is the carrier's, as it came, not an event.
TYPE = "webhook"

_LONGEST = 500


def unreadable(body: bytes, endpoint: WebhookEndpoint, reasons: Sequence[str], kinds: Iterable[str]) -> Outgoing:
    """Return the dead letter of a body with elements that could not be read; `reasons` has one for each."""
    more = f" And {len(reasons) - 1} more." if len(reasons) > 1 else ""
    return _dead_letter(body, endpoint, Code.WEBHOOK_UNREADABLE, reasons[0][:_LONGEST] + more, kinds)


def not_handled(body: bytes, endpoint: WebhookEndpoint, kinds: Iterable[str]) -> Outgoing:
    """Return the dead letter of a body with events of `kinds` that nothing here handles."""
    return _dead_letter(body, endpoint, Code.WEBHOOK_NOT_HANDLED, "Nothing here acts on an event of this kind.", kinds)


def _dead_letter(body: bytes, endpoint: WebhookEndpoint, code: Code, reason: str, kinds: Iterable[str]) -> Outgoing:
    """Keep `body` unchanged. A repeated webhook has the same id. `reason` has no number or text."""
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
