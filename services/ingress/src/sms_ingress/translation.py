"""Translates a carrier's events into events for the dispatcher. Pure: no I/O, no clock, no logging."""

from datetime import datetime

from sms_common import topology
from sms_common.broker import Outgoing
from sms_common.configuration import WebhookEndpoint
from sms_common.events import (
    MAX_EVENT_BYTES,
    CarrierInboundEvent,
    CarrierReceiptEvent,
    MediaItem,
    StatusError,
    event_id,
)
from sms_common.messages import DeliveryError, DeliveryReceipt, InboundMessage


class EventTooLarge(ValueError):
    """The event is larger than readers accept; the message says how large it is."""


def outgoing(said: DeliveryReceipt | InboundMessage, endpoint: WebhookEndpoint, received_at: datetime) -> Outgoing:
    """Return the broker message for one event of a carrier. Raises EventTooLarge, and ValueError for impossible values.

    The id depends only on what the carrier sent, so that a repeated webhook is recognised.
    """
    if isinstance(said, DeliveryReceipt):
        event: CarrierReceiptEvent | CarrierInboundEvent = _receipt(said, endpoint, received_at)
    else:
        event = _inbound(said, endpoint, received_at)
    body = event.encode()
    if len(body) > MAX_EVENT_BYTES:
        raise EventTooLarge(f"An event would have {len(body)} bytes; {MAX_EVENT_BYTES} are allowed.")
    return Outgoing(
        exchange=topology.SMS,
        routing_key=topology.carrier_key(endpoint.carrier, endpoint.config_id),
        body=body,
        type=event.TYPE,
        message_id=event.event_id,
    )


def _receipt(said: DeliveryReceipt, endpoint: WebhookEndpoint, received_at: datetime) -> CarrierReceiptEvent:
    # The receipts of a group share message id and type: the recipient tells them apart.
    parts = (said.carrier_message_id, said.carrier_event, said.recipient)
    return CarrierReceiptEvent(
        event_id=event_id(endpoint.carrier, endpoint.config_id, *parts),
        carrier=endpoint.carrier,
        config_id=endpoint.config_id,
        tenant_id=endpoint.tenant_id,
        carrier_message_id=said.carrier_message_id,
        carrier_event=said.carrier_event,
        reference=said.reference,
        recipient=said.recipient,
        sender=said.sender,
        status=said.status,
        occurred_at=said.occurred_at or received_at,
        received_at=received_at,
        segments=said.segments,
        description=said.description,
        error=_error(said.error) if said.error else None,
    )


def _error(error: DeliveryError) -> StatusError:
    return StatusError(
        error_class=error.error_class,
        code=error.code,
        carrier_code=error.carrier_code,
        carrier_text=error.carrier_text,
        advice=error.advice,
    )


def _inbound(said: InboundMessage, endpoint: WebhookEndpoint, received_at: datetime) -> CarrierInboundEvent:
    parts = (said.carrier_message_id, said.carrier_event, said.did)
    return CarrierInboundEvent(
        event_id=event_id(endpoint.carrier, endpoint.config_id, *parts),
        carrier=endpoint.carrier,
        config_id=endpoint.config_id,
        tenant_id=endpoint.tenant_id,
        carrier_message_id=said.carrier_message_id,
        carrier_event=said.carrier_event,
        sender=said.sender,
        did=said.did,
        recipients=said.recipients,
        msg_type=said.msg_type,
        text=said.text,
        media=tuple(MediaItem(url=media.url, content_type=media.content_type) for media in said.media),
        segments=said.segments,
        occurred_at=said.occurred_at or received_at,
        received_at=received_at,
    )
