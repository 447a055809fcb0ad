"""Dead letters and unrouted messages: lists what is parked and why, replays it, discards it. Nothing is ever lost.

The messages stay in RabbitMQ. Listing locks them until they have been read. A message is removed only after its replay
was published and confirmed (a carrier's webhook: after ingress accepted it), or when a person discards it. The audit
log gets its record before anything is done.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import orjson
import structlog

from sms_common.broker import FROM_WEBHOOKS, Broker, Held, NoWayBack, Outgoing, Parked, Unroutable
from sms_common.errors import Unavailable
from sms_common.input.patterns import ID_PATTERN
from sms_common.telemetry import redact, redact_text
from sms_common.topology import DEAD, NO_TENANT, UNROUTED, is_outbound
from sms_config.access.auth import Caller
from sms_config.model.problems import BrokerAway, Forbidden, Invalid, NotFound
from sms_config.model.records import AuditRecord, ParkedAction, TenantRecord
from sms_config.operations.replay_check import IsProved, ReplayCheck
from sms_config.operations.replay_refusals import ReplayRefusal, ReplayRefused
from sms_config.resources.changes import new_id
from sms_config.schemas.bodies import ParkedFilter
from sms_config.schemas.views import ParkedBodyView, ParkedResultView, ParkedView, Reason
from sms_config.storage.store_protocol import Store, Transaction

_log = structlog.get_logger()

# Held in memory at once. A text has a kilobyte, but a broker without a limit of its own takes bodies of many megabytes.
MAX_LISTED = 1_000
MAX_LISTED_BYTES = 32 * 1024 * 1024
_LONGEST_CODE = 64
_TENANT_KEY = re.compile(r"sms\.(outbound|inbound|status)\.([A-Za-z0-9_-]{1,64})(?:\..*)?", re.DOTALL)
_PBX = "pbx."


class WebhookReposting(Protocol):
    """Posts bodies to the webhooks of SMS configurations again, as the carrier did."""

    async def reposter(self, config_id: str) -> Callable[[bytes], Awaitable[str | None]]:
        """Return what posts a body to a configuration's webhook.

        It returns once ingress has accepted the body: with the code for which ingress parked it again, or None. Both
        raise ReplayRefused.
        """


@dataclass(frozen=True, slots=True)
class ParkingQueue:
    """A queue of parked messages, and what audit records call its messages."""

    name: str
    kind: str


DEAD_LETTERS = ParkingQueue(DEAD, "dead_letters")
UNROUTED_MESSAGES = ParkingQueue(UNROUTED, "unrouted")


def tenant_of(parked: Parked) -> str | None:
    """Return the tenant that a parked message belongs to, or None when only the installation's operators may see it.

    The tenant is taken only from the routing key, because the broker checks who may publish under it. It is never taken
    from a body or from the SMS configuration of a webhook: tenants may share an account and its webhooks.
    """
    found = _TENANT_KEY.fullmatch(parked.routing_key)
    if found is None or found[2] == NO_TENANT:
        return None
    asked = found[1] == "outbound"
    if parked.source is None:
        # No queue was bound. The headers are the publisher's own, so the key must be the one that the broker saw.
        believed = parked.routing_key == parked.delivery.routing_key
    else:
        believed = is_outbound(parked.source) if asked else parked.source.startswith(_PBX)
    return found[2] if believed else None


class Parking:
    """One queue of parked messages. Without a broker every call raises BrokerAway.

    `webhooks` posts carriers' webhooks again. `is_proved` says whether a configuration's webhook speaks for all tenants
    that borrow its trunk.
    """

    def __init__(
        self,
        queue: ParkingQueue,
        broker: Broker | None,
        store: Store,
        clock: Callable[[], datetime],
        webhooks: WebhookReposting,
        is_proved: IsProved,
    ) -> None:
        self._queue = queue
        self._webhooks = webhooks
        self._is_proved = is_proved
        self._broker = broker
        self._store = store
        self._clock = clock
        # Two requests that browse at once would each see only a part.
        self._one_at_a_time = asyncio.Lock()

    async def find(self, caller: Caller, asked: ParkedFilter) -> tuple[int, list[ParkedView]]:
        """Return how many messages match, and a page of them, the oldest first. Raises BrokerAway.

        Only the oldest MAX_LISTED messages are read, and fewer when they have MAX_LISTED_BYTES together.
        """
        async with self._browse(caller) as messages:
            found = [parked for parked, _ in messages if asked.code in {None, _code(parked)}]
        # Messages that were browsed before may have returned to the queue in another order.
        found.sort(key=lambda parked: _when(parked) or "")
        page = found[asked.skip : asked.skip + asked.top]
        stuck = await self._stuck(page)
        return len(found), [_view(parked, stuck.get(parked.id)) for parked in page]

    async def read(self, caller: Caller, parked_id: str) -> ParkedBodyView:
        """Return one message with its body, numbers masked and texts starred. Raises NotFound, BrokerAway."""
        parked = await self._one(caller, parked_id)
        stuck = (await self._stuck([parked])).get(parked.id)
        return ParkedBodyView(**_facts(parked, stuck), body=_masked(parked.delivery.body), revealed=False)

    async def reveal(self, caller: Caller, parked_id: str) -> ParkedBodyView:
        """Return one message unmasked, once the audit log has who saw it. Raises NotFound, BrokerAway."""
        parked = await self._one(caller, parked_id)
        await self._audit(caller, parked, "revealed")
        stuck = (await self._stuck([parked])).get(parked.id)
        facts = {**_facts(parked, stuck), "routing_key": parked.routing_key}
        return ParkedBodyView(**facts, body=_shown(parked.delivery.body), revealed=True)

    async def replay(self, caller: Caller, ids: Sequence[str], tenant_id: str | None) -> ParkedResultView:
        """Send messages back to where they came from. Each is confirmed there before it is removed here.

        Inbound texts that no queue received are handled like new ones. With `tenant_id` they are texts to that tenant's
        numbers, whatever webhook they came through; only callers for all tenants may say so. Raises Forbidden, Invalid,
        and BrokerAway when nothing was done.
        """
        if tenant_id is not None and caller.tenancy is not None:
            raise Forbidden("Only who sees all tenants can give a text to one.")
        if tenant_id is not None and await self._store.get(TenantRecord, tenant_id, caller.tenancy) is None:
            raise Invalid.of("tenant_id", "is not a known tenant")
        broker = self._connected()
        check = await ReplayCheck.load(self._store, self._is_proved)

        async def do(parked: Parked, held: Held) -> None:
            config_id = _webhook_of(parked)
            if config_id is None:
                text = parked.text
                if text is not None and (refusal := await check.refusal(text, tenant_id)) is not None:
                    raise refusal
                message = _replayed(parked, tenant_id)
                await self._audit(caller, parked, "replayed")
                await _publish(broker, message)
            else:
                repost = await self._webhooks.reposter(config_id)
                await self._audit(caller, parked, "replayed")
                kept_for = await repost(parked.delivery.body)
                if kept_for is not None:
                    await held.remove()  # ingress has parked it again, under the same id
                    raise ReplayRefused(kept_for, _parked_again(parked))
            await held.remove()

        return await self._each(caller, ids, do)

    async def discard(self, caller: Caller, ids: Sequence[str]) -> ParkedResultView:
        """Remove messages for good. Raises BrokerAway when nothing was done."""

        async def do(parked: Parked, held: Held) -> None:
            await self._audit(caller, parked, "discarded")
            await held.remove()

        return await self._each(caller, ids, do)

    async def _each(
        self, caller: Caller, ids: Sequence[str], do: Callable[[Parked, Held], Awaitable[None]]
    ) -> ParkedResultView:
        """Do something to each of these messages, one after the other. A message for which that fails stays there."""
        wanted, done, left = frozenset(ids), list[str](), dict[str, ReplayRefused]()
        trouble: Unavailable | None = None
        async with self._browse(caller) as messages:
            for parked, held in ((parked, held) for parked, held in messages if parked.id in wanted):
                try:
                    if trouble is not None:
                        raise trouble
                    await do(parked, held)
                except ReplayRefused as reason:
                    left[parked.id] = reason
                except Unavailable as away:
                    if not done:
                        raise
                    trouble, left[parked.id] = away, ReplayRefused(away.code, away.reason)
                else:
                    done.append(parked.id)
        absent = [given for given in dict.fromkeys(ids) if given not in left and given not in done]
        return ParkedResultView(
            done=tuple(done),
            left=tuple(Reason(id=parked_id, code=why.code, says=why.says) for parked_id, why in left.items()),
            absent=tuple(absent),
        )

    async def _one(self, caller: Caller, parked_id: str) -> Parked:
        async with self._browse(caller) as messages:
            found = next((parked for parked, _ in messages if parked.id == parked_id), None)
        if found is None:
            raise NotFound("There is no such message here, among the oldest at least.")
        return found

    @asynccontextmanager
    async def _browse(self, caller: Caller) -> AsyncIterator[list[tuple[Parked, Held]]]:
        """Lock the oldest messages inside the context, and give those that the caller may see."""
        browsing = self._connected().browse(self._queue.name, limit=MAX_LISTED, budget=MAX_LISTED_BYTES)
        async with self._one_at_a_time, browsing as found:
            messages = [(Parked.read(held.delivery), held) for held in found]
            yield [(parked, held) for parked, held in messages if _may_see(caller, parked)]

    async def _stuck(self, page: Sequence[Parked]) -> Mapping[str, ReplayRefused]:
        """Return why messages of a page cannot be replayed, by their ids."""
        stuck = {parked.id: why for parked in page if (why := _stuck(parked)) is not None}
        texts = {parked.id: text for parked in page if (text := parked.text) is not None}
        if texts:
            check = await ReplayCheck.load(self._store, self._is_proved)
            found = {parked_id: await check.refusal(text) for parked_id, text in texts.items()}
            stuck |= {parked_id: why for parked_id, why in found.items() if why is not None}
        return stuck

    def _connected(self) -> Broker:
        if self._broker is None:
            raise BrokerAway("This process has no connection to RabbitMQ.")
        return self._broker

    async def _audit(self, caller: Caller, parked: Parked, action: ParkedAction) -> None:
        record = AuditRecord(
            id=new_id(),
            at=self._clock(),
            actor=caller.id,
            actor_name=caller.name,
            address=caller.address,
            request_id=caller.request_id,
            tenant_id=tenant_of(parked),
            kind=self._queue.kind,
            object_id=parked.id,
            action=action,
            version=0,
            changes=(),
            before=_view(parked).model_dump(mode="json", include={"code", "reason", "source", "routing_key", "type"}),
        )

        async def write(transaction: Transaction) -> None:
            await transaction.insert(record)

        await self._store.transact(write)
        _log.info("parked." + action, place=self._queue.kind, id=parked.id)


def _may_see(caller: Caller, parked: Parked) -> bool:
    if caller.tenancy is None:
        return True
    tenant_id = tenant_of(parked)
    return tenant_id is not None and caller.sees(tenant_id)


def _view(parked: Parked, stuck: ReplayRefused | None = None) -> ParkedView:
    return ParkedView(**_facts(parked, stuck))


def _facts(parked: Parked, stuck: ReplayRefused | None) -> dict[str, Any]:
    return {
        "id": parked.id,
        "tenant_id": tenant_of(parked),
        "config_id": _config(parked),
        "code": _code(parked),
        "reason": None if parked.reason is None else redact_text(parked.reason),
        "source": parked.source,
        "routing_key": redact_text(parked.routing_key),
        "type": parked.delivery.type,
        "parked_at": _when(parked),
        "size": len(parked.delivery.body),
        "stuck": stuck and stuck.says,
        "stuck_code": stuck and stuck.code,
    }


def _when(parked: Parked) -> str | None:
    moment = parked.delivery.timestamp
    return parked.parked_at or (moment.isoformat() if moment else None)


def _code(parked: Parked) -> str | None:
    return None if parked.code is None else parked.code[:_LONGEST_CODE]


def _config(parked: Parked) -> str | None:
    """Return the SMS configuration of the webhook that the message came through, or None."""
    parts = parked.routing_key.split(".")
    named = parts[3] if parts[:2] == ["sms", "carrier"] and len(parts) == 4 else ""  # noqa: PLR2004  # sms.carrier.<carrier>.<config>
    return named if re.fullmatch(ID_PATTERN, named) else None


def _webhook_of(parked: Parked) -> str | None:
    """Return the SMS configuration to whose webhook the message can be posted again, or None."""
    return _config(parked) if parked.source == FROM_WEBHOOKS else None


def _stuck(parked: Parked) -> ReplayRefused | None:
    if _webhook_of(parked) is not None:
        return None
    try:
        _replayed(parked)
    except ReplayRefused as reason:
        return reason
    return None


def _replayed(parked: Parked, tenant_id: str | None = None) -> Outgoing:
    """Return the message that is published for a replay. Raises ReplayRefused."""
    try:
        return parked.back(tenant_id=tenant_id)
    except NoWayBack as reason:
        no_text = tenant_id is not None or parked.source is None
        raise ReplayRefused(ReplayRefusal.NO_INBOUND_TEXT if no_text else ReplayRefusal.NO_QUEUE, str(reason)) from None


def _parked_again(parked: Parked) -> str:
    why = "Nothing here can use it." if parked.reason is None else redact_text(parked.reason)
    return f"It was handed in once more, and lies here as before: {why}"


async def _publish(broker: Broker, message: Outgoing) -> None:
    """Publish, and return once the broker has confirmed. Raises ReplayRefused when the queue is gone, Unavailable."""
    try:
        await broker.publish(message)
    except Unroutable:
        raise ReplayRefused(ReplayRefusal.QUEUE_GONE, f"There is no queue {message.routing_key} any more.") from None


def _masked(body: bytes) -> Any:
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return redact(None, "", {"value": decoded})["value"]


def _shown(body: bytes) -> Any:
    """Return the body as JSON if it is JSON, else as text."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="backslashreplace")
