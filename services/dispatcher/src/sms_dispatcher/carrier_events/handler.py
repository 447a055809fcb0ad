"""Handles what carriers report to ingress. A receipt advances its message. An inbound text is recorded once and
published to the PBX.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from sms_common import topology
from sms_common.broker import Delivery, Outgoing, RetryLater
from sms_common.errors import Code, UnreadableEvent
from sms_common.events import (
    CarrierInboundEvent,
    CarrierReceiptEvent,
    InboundEvent,
    Route,
    decode,
    event_id,
)
from sms_common.messages import Status
from sms_common.phone import from_carrier
from sms_common.telemetry import metrics
from sms_dispatcher.carrier_events.inbound import Arrival, InboundRouting, discards, may_not_speak, route_inbound
from sms_dispatcher.carrier_events.parked_texts import arrival_again, given_id, never_published, parked_id
from sms_dispatcher.delivery.context import DispatchContext
from sms_dispatcher.delivery.statuses import changes, current
from sms_dispatcher.ledger.entries import Echo, EntryKind, LedgerEntry, Receipt, conversation_id, member
from sms_dispatcher.ledger.ledger import MatchedReceipt

log = structlog.get_logger()

# A receipt without the gateway's reference may be faster than the answer that contains the carrier's id. And whoever
# speaks for a lent trunk may be proving at this moment that it has the account.
_WAITS = (1.0, 5.0, 30.0, 120.0)


class CarrierEventHandler:
    """The handler of the queue `sms.carrier`."""

    def __init__(self, context: DispatchContext, *, receipt_window: timedelta) -> None:
        self._ledger = context.ledger
        self._publisher = context.publisher
        self._snapshot = context.snapshot
        self._clock = context.clock
        self._receipt_window = receipt_window

    async def handle(self, delivery: Delivery) -> None:
        """Handle one event. Returns when its result is recorded and published."""
        accept = (CarrierReceiptEvent, CarrierInboundEvent, InboundEvent)
        event = decode(delivery.type or "", delivery.body, accept=accept)
        if isinstance(event, CarrierReceiptEvent):
            await self._receipt(event, delivery)
        elif isinstance(event, CarrierInboundEvent):
            await self._inbound(event, delivery)
        elif isinstance(event, InboundEvent):
            # Somebody replays a parked text: it is handled like a new one.
            await self._inbound(arrival_again(event, self._snapshot()), delivery, parked=event)

    async def _receipt(self, event: CarrierReceiptEvent, delivery: Delivery) -> None:
        refusals: list[Code] = []

        def allowed(entry: LedgerEntry) -> bool:
            refusal = self._may_not_speak_for(event, entry)
            refusals.extend([] if refusal is None else [refusal])
            return refusal is None

        receipt = _receipt_of(event, self._clock() + self._receipt_window)
        change = await self._ledger.apply(MatchedReceipt(receipt, event.reference, allowed))
        if change is None:
            await self._unmatched(event, delivery, unproved=Code.ACCOUNT_UNPROVED in refusals)
        elif change.happened:
            metrics.receipts_total.labels(event.carrier, "applied").inc()
            metrics.receipt_statuses_total.labels(event.carrier, event.status.value).inc()
            await self._publisher.publish(changes(change.before, change.after))
        elif _is_of_unknown_recipient(change.after, receipt):
            metrics.receipts_total.labels(event.carrier, "unmatched").inc()
            raise UnreadableEvent(Code.UNMATCHED_RECEIPT, "The group of this receipt does not have its recipient.")
        else:
            metrics.receipts_total.labels(event.carrier, "unchanged").inc()
            if _may_be_recorded(delivery):
                await self._publisher.publish(current(change.after))

    def _may_not_speak_for(self, event: CarrierReceiptEvent, entry: LedgerEntry) -> Code | None:
        """Why a receipt may not change an entry; None when it may. A carrier has one webhook for an account. So a
        receipt may come through any configuration of the same tenant, and through one that has proved to have the
        account of the lent trunk.
        """
        if entry.kind in {EntryKind.INBOUND, EntryKind.PARENT} or entry.carrier != event.carrier:
            return Code.UNMATCHED_RECEIPT
        if event.config_id == entry.config_id or event.tenant_id == entry.tenant_id:
            return None
        snapshot = self._snapshot()
        sent = snapshot.config(entry.config_id or "")
        return (
            Code.UNMATCHED_RECEIPT if sent is None else may_not_speak(snapshot.config(event.config_id), sent.trunk_id)
        )

    async def _unmatched(self, event: CarrierReceiptEvent, delivery: Delivery, *, unproved: bool) -> None:
        if delivery.deferrals < len(_WAITS):
            raise RetryLater(_WAITS[delivery.deferrals])
        metrics.receipts_total.labels(event.carrier, "unmatched").inc()
        if unproved:
            log.warning("receipt.unproved", config_id=event.config_id, code=Code.ACCOUNT_UNPROVED)
            reason = "Its webhook belongs to another tenant, and has not proved to have the lent trunk's account."
            raise UnreadableEvent(Code.ACCOUNT_UNPROVED, reason)
        raise UnreadableEvent(Code.UNMATCHED_RECEIPT, "No message in the ledger belongs to this receipt.")

    async def _inbound(
        self, event: CarrierInboundEvent, delivery: Delivery, *, parked: InboundEvent | None = None
    ) -> None:
        routing = route_inbound(_arrival(event), self._snapshot())
        if routing.refusal is Code.ACCOUNT_UNPROVED and delivery.deferrals < len(_WAITS):
            raise RetryLater(_WAITS[delivery.deferrals])
        if routing.route is None:
            metrics.inbound_total.labels("blocked").inc()
            log.info("inbound.blocked", tenant_id=routing.tenant_id, config_id=event.config_id)
            return
        inbound = _inbound_event(event, routing, routing.route)
        if routing.refusal is None or discards(routing.route):
            await self._publish_text(inbound, event, delivery, parked)
        else:
            await self._park(inbound, event, routing.refusal, again=parked is not None or _may_be_recorded(delivery))

    async def _publish_text(
        self, inbound: InboundEvent, event: CarrierInboundEvent, delivery: Delivery, parked: InboundEvent | None
    ) -> None:
        """Record a text under its tenant and publish it to the PBX, once."""
        known = await self._ledger.accept(_inbound_entry(inbound, event, self._clock()))
        if known is not None and parked is not None and never_published(parked, inbound):
            known = None
        if known is not None and not _may_be_recorded(delivery):
            metrics.inbound_total.labels("duplicate").inc()
            return
        if known is not None and known.destination is not None:
            # Published twice, it has the same route both times, whatever the rules say by now.
            inbound = inbound.model_copy(update={"route": known.destination})
        if discards(inbound.route):
            metrics.inbound_total.labels("discarded").inc()
            return
        metrics.inbound_total.labels("routed").inc()
        await self._publisher.publish_raw(_to_pbx(inbound))

    async def _park(self, inbound: InboundEvent, event: CarrierInboundEvent, refusal: Code, *, again: bool) -> None:
        """Park a text whose number nobody owns, or for whose number its webhook may not speak.

        It is recorded under an id that differs for each webhook. So its own id is still free when the text comes
        through another webhook, or when somebody replays it.
        """
        kept = inbound.model_copy(
            update={"message_id": (id_ := parked_id(event)), "event_id": event_id("inbound-event", id_)}
        )
        entry = replace(_inbound_entry(kept, event, self._clock()), tenant_id=topology.NO_TENANT)
        if await self._ledger.accept(entry) is not None and not again:
            metrics.inbound_total.labels("duplicate").inc()
            return
        metrics.inbound_total.labels(refusal).inc()
        metrics.unrouted_total.inc()
        what = "inbound.unproved" if refusal is Code.ACCOUNT_UNPROVED else "inbound.unrouted"
        log.warning(what, config_id=inbound.config_id, code=refusal)
        await self._publisher.publish_raw(_to_unrouted(kept, refusal))


def _arrival(event: CarrierInboundEvent) -> Arrival:
    sender, did = from_carrier(event.sender), from_carrier(event.did)
    return Arrival(sender, did, event.msg_type, event.config_id, event.tenant_id, event.occurred_at)


def _inbound_event(event: CarrierInboundEvent, routing: InboundRouting, route: Route) -> InboundEvent:
    """The event for the PBX. The same text always has the same ids. Numbers are normalised here: events from a former
    ingress have them as the carrier wrote them.
    """
    config = routing.config
    sender, did = from_carrier(event.sender), from_carrier(event.did)
    recipients = tuple(map(from_carrier, event.recipients))
    message_id = given_id(event)
    return InboundEvent(
        event_id=event_id("inbound-event", message_id),
        message_id=message_id,
        tenant_id=routing.tenant_id,
        config_id=config.id if config else event.config_id,
        brand=config.brand if config else "",
        provider_id=config.trunk_id if config else "",
        msg_type=event.msg_type,
        sender=sender,
        receiver=did,
        did=did,
        recipients=recipients,
        conversation_id=conversation_id(routing.tenant_id, (sender, did, *recipients)),
        content=event.text,
        media=event.media,
        segments=event.segments,
        provider_msg_id=event.carrier_message_id,
        provider_time=event.occurred_at,
        received_at=event.received_at,
        route=route,
    )


def _is_of_unknown_recipient(entry: LedgerEntry, receipt: Receipt) -> bool:
    """Whether a receipt names a recipient that its group does not have."""
    return entry.kind is EntryKind.GROUP and member(entry, receipt.recipient) is None


def _may_be_recorded(delivery: Delivery) -> bool:
    """Whether this event may have been recorded but not published: its handler died or lost the store in between."""
    return delivery.redelivered or delivery.attempt > 0 or delivery.deferrals > 0


def _receipt_of(event: CarrierReceiptEvent, wait_until: datetime) -> Receipt:
    return Receipt(
        recipient=event.recipient,
        status=event.status,
        occurred_at=event.occurred_at,
        provider_msg_id=event.carrier_message_id,
        wait_until=wait_until,
        segments=event.segments,
        error=event.error,
        reason=event.description if event.status is Status.FAILED else None,
    )


def _inbound_entry(inbound: InboundEvent, event: CarrierInboundEvent, now: datetime) -> LedgerEntry:
    """The ledger's entry of an inbound text. Its id follows from the carrier's, so a repeated webhook finds it."""
    return LedgerEntry(
        tenant_id=inbound.tenant_id or topology.NO_TENANT,
        message_id=inbound.message_id,
        kind=EntryKind.INBOUND,
        status=Status.DELIVERED,
        created_at=now,
        updated_at=now,
        config_id=inbound.config_id,
        carrier=event.carrier,
        sender=inbound.sender,
        to=(inbound.did,),
        text=inbound.content,
        media=tuple(item.url for item in inbound.media),
        msg_type=inbound.msg_type,
        segments=inbound.segments,
        provider_msg_id=inbound.provider_msg_id,
        occurred_at=inbound.provider_time,
        reason=inbound.route.reason if discards(inbound.route) else None,
        destination=inbound.route,
        echo=Echo(conversation_id=inbound.conversation_id),
    )


def _to_pbx(inbound: InboundEvent) -> Outgoing:
    assert inbound.tenant_id is not None
    return Outgoing(
        exchange=topology.SMS,
        routing_key=topology.inbound_key(inbound.tenant_id, inbound.did),
        body=inbound.encode(),
        type=InboundEvent.TYPE,
        message_id=inbound.event_id,
    )


def _to_unrouted(inbound: InboundEvent, refusal: Code) -> Outgoing:
    return Outgoing(
        exchange=topology.UNROUTED,
        routing_key=topology.inbound_key(inbound.tenant_id or topology.NO_TENANT, inbound.did),
        body=inbound.encode(),
        type=InboundEvent.TYPE,
        message_id=inbound.event_id,
        headers={"x-code": refusal},
    )
