"""Inbound texts that were parked: under which ids they lie, and how one that a person sends on arrives again. Pure."""

from sms_common.configuration import DispatcherSnapshot, SmsConfig
from sms_common.events import CarrierInboundEvent, InboundEvent, event_id
from sms_common.topology import NO_TENANT

_AGAIN = "replayed"


def given_id(event: CarrierInboundEvent) -> str:
    """The id under which a PBX is given a text: of the same text always the same, by whatever webhook it came."""
    return event_id("inbound", event.carrier, event.carrier_message_id, event.did)


def parked_id(event: CarrierInboundEvent) -> str:
    """The id under which a text is parked: each webhook's apart."""
    return event_id("parked", event.config_id, given_id(event))


def arrival_again(parked: InboundEvent, snapshot: DispatcherSnapshot) -> CarrierInboundEvent:
    """A parked text as its webhook brought it, to be routed anew.

    With a `tenant_id` it is as if it had come by a webhook of that tenant: it was found to be its, or a person says so.
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


def never_given(parked: InboundEvent, inbound: InboundEvent) -> bool:
    """Whether a text that is known under its tenant was nevertheless not given to the PBX: it was recorded there when
    it was parked, as it once was for a disabled configuration, or when nobody was bound to receive it.
    """
    return (parked.tenant_id, parked.message_id) == (inbound.tenant_id, inbound.message_id)


def _webhook_of(parked: InboundEvent, snapshot: DispatcherSnapshot) -> SmsConfig | None:
    """The configuration by whose webhook it came; the tenant's own one on the number's trunk when it is for a tenant,
    or when that one is gone.
    """
    webhook_config = snapshot.config(parked.config_id)
    if webhook_config is not None and parked.tenant_id in {None, webhook_config.tenant_id}:
        return webhook_config
    pool = snapshot.owner_of(parked.did)
    own = snapshot.configs_of(parked.tenant_id or "")
    return next((one for one in own if pool is not None and one.trunk_id == pool.trunk_id), None) or webhook_config
