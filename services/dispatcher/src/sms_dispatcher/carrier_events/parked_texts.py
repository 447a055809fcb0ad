"""Parked inbound texts: their ids, and how a replayed one arrives again. Pure."""

from sms_common.configuration import DispatcherSnapshot, SmsConfig
from sms_common.events import CarrierInboundEvent, InboundEvent, event_id
from sms_common.topology import NO_TENANT

_AGAIN = "replayed"


def given_id(event: CarrierInboundEvent) -> str:
    """The id of a text that is published to a PBX. It does not depend on the webhook through which the text came."""
    return event_id("inbound", event.carrier, event.carrier_message_id, event.did)


def parked_id(event: CarrierInboundEvent) -> str:
    """The id of a parked text. It differs for each webhook."""
    return event_id("parked", event.config_id, given_id(event))


def arrival_again(parked: InboundEvent, snapshot: DispatcherSnapshot) -> CarrierInboundEvent:
    """A parked text as its webhook reported it, to be routed again.

    With a `tenant_id` it counts as reported by a webhook of that tenant: the text was found to be that tenant's, or
    whoever replays it says so.
    """
    webhook_config = _webhook_of(parked, snapshot)
    return CarrierInboundEvent(
        event_id=parked.event_id,
        carrier=webhook_config.carrier if webhook_config is not None else "",
        config_id=webhook_config.id if webhook_config is not None else parked.config_id,
        tenant_id=parked.tenant_id or (webhook_config.tenant_id if webhook_config is not None else NO_TENANT),
        carrier_message_id=parked.provider_msg_id,
        carrier_event=_AGAIN,
        sender=parked.sender,
        did=parked.did,
        recipients=parked.recipients,
        msg_type=parked.msg_type,
        text=parked.content,
        media=parked.media,
        segments=parked.segments,
        occurred_at=parked.provider_time,
        received_at=parked.received_at,
    )


def never_published(parked: InboundEvent, inbound: InboundEvent) -> bool:
    """Whether a text that is recorded under its tenant was not published to the PBX. It was recorded when it was
    parked: former versions did so for a disabled configuration, or when no queue was bound.
    """
    return (parked.tenant_id, parked.message_id) == (inbound.tenant_id, inbound.message_id)


def _webhook_of(parked: InboundEvent, snapshot: DispatcherSnapshot) -> SmsConfig | None:
    """The configuration through whose webhook the text came. When that is gone, or the text is for another tenant: the
    tenant's own configuration on the number's trunk.
    """
    webhook_config = snapshot.config(parked.config_id)
    if webhook_config is not None and parked.tenant_id in {None, webhook_config.tenant_id}:
        return webhook_config
    pool = snapshot.owner_of(parked.did)
    own = snapshot.configs_of(parked.tenant_id or "")
    return next((one for one in own if pool is not None and one.trunk_id == pool.trunk_id), None) or webhook_config
