"""Handles the PBX's requests: reads and plans them, records their messages and passes each to its lane."""

import asyncio
import re
import uuid
from collections import defaultdict
from datetime import datetime, timedelta
from functools import partial

import orjson
import structlog

from sms_common import topology
from sms_common.backoff import retry_until_available
from sms_common.broker import Delivery, RetryLater
from sms_common.concurrency import gather_all
from sms_common.errors import Code, Rejection, UnreadableEvent
from sms_common.events import MAX_EVENT_BYTES, CancelRequest, Event, OutboundRequest, StatusEvent, decode, in_utf8
from sms_common.input.patterns import MESSAGE_ID_PATTERN
from sms_common.messages import Status
from sms_common.telemetry import metrics
from sms_dispatcher.delivery.context import DispatchContext
from sms_dispatcher.delivery.statuses import accepted_event, current, status_event
from sms_dispatcher.lanes.fast_path import FastSendSlot
from sms_dispatcher.lanes.in_flight import InFlight
from sms_dispatcher.lanes.keyed_queue import KeyedQueue, Turn
from sms_dispatcher.lanes.lanes import Lanes
from sms_dispatcher.ledger.entries import CLAIMABLE, EntryKind, LedgerEntry, changed, claimed
from sms_dispatcher.ledger.ledger import LEASE
from sms_dispatcher.requests import refusals
from sms_dispatcher.requests.conversations import conversations
from sms_dispatcher.requests.planning import children, plan, rejected

log = structlog.get_logger()

# A cancel may overtake its request, which another handler is still working on.
_CANCEL_WAITS = (1.0, 5.0)
_MESSAGE_ID = re.compile(MESSAGE_ID_PATTERN)
# A claim that has not ended after so long belongs to a dead process.
_CHECK_CLAIM_AFTER = LEASE + timedelta(seconds=5)


class RequestHandler:
    """The handler of all queues of requests."""

    def __init__(self, context: DispatchContext, lanes: Lanes) -> None:
        self._ledger = context.ledger
        self._publisher = context.publisher
        self._carriers = context.carriers
        self._snapshot = context.snapshot
        self._clock = context.clock
        self._lanes = lanes
        self._turns = KeyedQueue()
        self._in_flight: defaultdict[str, InFlight] = defaultdict(InFlight)

    async def idle(self, queue: str) -> None:
        """Return when no request from this queue is in flight."""
        await self._in_flight[queue].wait_idle()

    async def handle(self, delivery: Delivery) -> None:
        """Handle one request. Returns when its messages are recorded, their statuses are published and they are sent or
        in their lanes. Requests of the same extension or sender are handled in their order.
        """
        with self._in_flight[delivery.queue]:
            await self._handle(delivery)

    async def _handle(self, delivery: Delivery) -> None:
        key = topology.asked_by(delivery.queue, delivery.routing_key)
        try:
            event = decode(_type_of(delivery, key), delivery.body, accept=(OutboundRequest, CancelRequest))
        except UnreadableEvent as error:
            await self._refuse_unreadable(error, delivery, key)
            raise
        if isinstance(event, CancelRequest):
            await self._cancel(event, key, delivery)
        elif isinstance(event, OutboundRequest):
            with self._turns.join(f"{event.tenant_id} {event.sender or event.extension}") as turn:
                await self._accept(event, key, turn)

    async def _refuse_unreadable(self, error: UnreadableEvent, delivery: Delivery, key: topology.OutboundKey) -> None:
        event = refusals.unreadable(error, delivery, key.tenant_id, self._clock())
        if event is None:
            self._note_rejection(None, None, error.code, error.field)
        else:
            await self._publish_refusal(event, key)

    async def _publish_refusal(self, event: StatusEvent, key: topology.OutboundKey) -> None:
        """Publish a refusal to the tenant of the routing key. The default PBX gets it when there is no such tenant."""
        tenant_id = event.tenant_id if key.tenant_id is None else key.tenant_id
        error = event.error
        assert error is not None
        self._note_rejection(tenant_id, event.message_id, error.code, error.field)
        if self._snapshot().tenant(tenant_id) is None:
            await self._publisher.publish_raw(refusals.to_default_pbx(event))
        else:
            await self._publisher.publish([event.model_copy(update={"tenant_id": tenant_id})])

    async def _accept(self, request: OutboundRequest, key: topology.OutboundKey, turn: Turn) -> None:
        now = self._clock()
        try:
            _check_tenant(request.tenant_id, key)
            snapshot = self._snapshot()
            entry = plan(request, snapshot, self._carriers, now, await conversations(request, snapshot, self._ledger))
        except Rejection as rejection:
            entry = rejected(request, rejection, now)
            if rejection.code in {Code.UNKNOWN_TENANT, Code.TENANT_MISMATCH}:
                await self._publish_refusal(refusals.unknown(entry), key)
                return
        try:
            await self._record(entry, request, turn)
        except UnreadableEvent as error:
            entry = rejected(request, Rejection(error.code, error.reason), now)
            self._note(entry)
            await self._publisher.publish([status_event(entry)])
            raise

    async def _record(self, entry: LedgerEntry, request: OutboundRequest, turn: Turn) -> None:
        """Record a message, or all messages of a list, and publish what the ledger has. For a repeated request that is
        what was decided at first, whatever would be decided now.
        """
        if entry.status is Status.ACCEPTED and entry.kind is not EntryKind.PARENT:
            await turn.wait()
            slot = await self._lanes.try_acquire(entry)
            if slot is not None:
                await self._send_at_once(entry, request, slot, turn)
                return
        await self._publish_recorded(entry, request, await self._ledger.accept(entry), turn)

    async def _send_at_once(self, entry: LedgerEntry, request: OutboundRequest, slot: FastSendSlot, turn: Turn) -> None:
        """Record an entry as claimed, then send it and publish its first status at the same time."""
        claim = claimed(entry, uuid.uuid4().hex, self._clock() + _CHECK_CLAIM_AFTER)
        try:
            # Retried until the store answers: a claim that was recorded without our knowledge would never be sent.
            known = await retry_until_available(partial(self._ledger.accept, entry, claim))
        except BaseException:
            slot.release()
            raise
        if known is not None and known.claim_id != claim.claim_id:
            slot.release()
            await self._publish_recorded(entry, request, known, turn)
            return
        self._note(entry)
        publishing = asyncio.ensure_future(self._publisher.publish([status_event(entry)]))
        slot.send(claim, publishing)
        if entry.parent_id is None:  # a list keeps its turn: its other messages come before the next request
            turn.release()
        await publishing

    async def _publish_recorded(
        self, entry: LedgerEntry, request: OutboundRequest, known: LedgerEntry | None, turn: Turn
    ) -> None:
        present = known or entry
        if present.fingerprint != entry.fingerprint and present.fingerprint not in request.former_fingerprints():
            reason = "Another request has this message_id already."
            rejection = Rejection(Code.ID_CONFLICT, reason, field="message_id")
            self._note_rejection(entry.tenant_id, entry.message_id, rejection.code, rejection.field)
            await self._publisher.publish([refusals.conflict(present, entry, rejection)])
        elif present.kind is EntryKind.PARENT:
            await gather_all(self._record(child, request, turn) for child in children(present))
        else:
            await self._announce(present, turn, repeated=known is not None)

    async def _announce(self, entry: LedgerEntry, turn: Turn, *, repeated: bool) -> None:
        """Publish an entry's status, then put it into its lane if it was not sent yet. This order matters while
        RabbitMQ blocks publishers: a lane entry is not put again for each try to publish the status.
        """
        self._note(entry, repeated=repeated)
        if repeated:
            events = current(entry)
        elif entry.status is Status.HELD:
            events = [accepted_event(entry), status_event(entry)]
        else:
            events = [status_event(entry)]
        await self._publisher.publish(events)
        if entry.status is Status.ACCEPTED:
            await turn.wait()
            await self._lanes.put(entry)

    def _note(self, entry: LedgerEntry, *, repeated: bool = False) -> None:
        """Count the result of a request's message, and log a rejection."""
        if entry.status in {Status.REJECTED, Status.EXPIRED} and entry.error is not None and not repeated:
            self._note_rejection(entry.tenant_id, entry.message_id, entry.error.code, entry.error.field)
            return
        metrics.outbound_total.labels("repeated" if repeated else entry.status.value).inc()
        metrics.requests_total.labels("repeated" if repeated else "accepted").inc()

    def _note_rejection(self, tenant_id: str | None, message_id: str | None, code: str, field: str | None) -> None:
        """Count a rejection and log it. Of the request only the name of the wrong field is logged."""
        metrics.outbound_total.labels(code).inc()
        metrics.requests_total.labels("expired" if code == Code.EXPIRED else "rejected").inc()
        known = tenant_id if tenant_id is not None and self._snapshot().tenant(tenant_id) is not None else None
        usable = message_id if message_id is not None and _MESSAGE_ID.fullmatch(message_id) else None
        log.info("request.rejected", tenant_id=known, message_id=usable, code=code, field=field)

    async def _cancel(self, request: CancelRequest, key: topology.OutboundKey, delivery: Delivery) -> None:
        _check_tenant_of_cancel(request, key)
        entry = await self._ledger.find(request.tenant_id, request.message_id)
        if entry is None or entry.kind is EntryKind.INBOUND:
            if delivery.deferrals < len(_CANCEL_WAITS):
                raise RetryLater(_CANCEL_WAITS[delivery.deferrals])
            raise UnreadableEvent(
                Code.UNKNOWN_MESSAGE, "There is no message of this id to withdraw.", field="message_id"
            )
        if entry.kind is EntryKind.PARENT:
            await gather_all(self._withdraw_child(child) for child in children(entry))
        else:
            await self._withdraw(entry)

    async def _withdraw_child(self, child: LedgerEntry) -> None:
        """Cancel one message of a list. One that is not recorded yet is recorded as canceled."""
        first = _canceled(child, self._clock()) if child.status in CLAIMABLE else child
        known = await self._ledger.accept(first)
        if known is None:
            await self._publisher.publish([status_event(first)])
        elif known.fingerprint == child.fingerprint:
            await self._withdraw(known)

    async def _withdraw(self, entry: LedgerEntry) -> None:
        """Cancel one message unless it is claimed. The ledger decides which came first."""
        present: LedgerEntry | None = entry
        while present is not None and present.status in CLAIMABLE:
            after = _canceled(present, self._clock())
            if await self._ledger.change(present, after):
                metrics.outbound_total.labels(Code.CANCELED).inc()
                await self._publisher.publish([status_event(after)])
                return
            present = await self._ledger.find(entry.tenant_id, entry.message_id)
        if present is None:
            raise UnreadableEvent(Code.UNKNOWN_MESSAGE, "The message is older than the ledger keeps.")
        if present.status is Status.CANCELED:
            await self._publisher.publish(current(present))
            return
        rejection = Rejection(Code.CANCEL_TOO_LATE, "The message can no longer be withdrawn.", field="message_id")
        await self._publisher.publish([refusals.too_late(present, rejection)])


def _canceled(entry: LedgerEntry, now: datetime) -> LedgerEntry:
    reason = "Withdrawn by the PBX."
    return changed(entry, Status.CANCELED, now, reason=reason, error=None, occurred_at=now, due_at=None)


def _type_of(delivery: Delivery, key: topology.OutboundKey) -> str:
    """The event's type: the AMQP property, else the field in the body, else what the routing key says."""
    if delivery.type:
        return delivery.type
    try:
        body = orjson.loads(in_utf8(delivery.body)) if len(delivery.body) <= MAX_EVENT_BYTES else None
    except orjson.JSONDecodeError:
        body = None
    named = body.get("type") if isinstance(body, dict) else None
    if isinstance(named, str):
        return named
    default: type[Event] = CancelRequest if key.cancel else OutboundRequest
    return default.TYPE


def _check_tenant(tenant_id: str, key: topology.OutboundKey) -> None:
    if key.tenant_id is not None and key.tenant_id != tenant_id:
        reason = "The tenant_id differs from the tenant in the routing key."
        raise Rejection(Code.TENANT_MISMATCH, reason, field="tenant_id")


def _check_tenant_of_cancel(request: CancelRequest, key: topology.OutboundKey) -> None:
    try:
        _check_tenant(request.tenant_id, key)
    except Rejection as rejection:
        raise UnreadableEvent(rejection.code, rejection.reason, field=rejection.field) from None
