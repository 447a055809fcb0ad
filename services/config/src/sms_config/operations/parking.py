"""Dead letters and unrouted messages for people: what is parked and why, and back or away with it; none is ever lost.

They stay in RabbitMQ. Looking holds them for that long and gives them back; one is removed only after it was published
again and confirmed (a carrier's webhook: after ingress took it again), or at a person's wish. What was done, and by
whom, is in the audit log before it is done.
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

# In memory at once. A text has a kilobyte; a broker without a limit of its own takes bodies of many megabytes.
MAX_LISTED = 1_000
MAX_LISTED_BYTES = 32 * 1024 * 1024
_LONGEST_CODE = 64
_TENANT_KEY = re.compile(r"sms\.(outbound|inbound|status)\.([A-Za-z0-9_-]{1,64})(?:\..*)?", re.DOTALL)
_PBX = "pbx."


class WebhookReposting(Protocol):
    """The webhooks of SMS configurations, where a body can be handed in again, as the carrier did."""

    async def door(self, config_id: str) -> Callable[[bytes], Awaitable[str | None]]:
        """Return what hands a body in, and returns once ingress has taken it: why it is kept there as it came, if it
        is. Both raise Stays.
        """


@dataclass(frozen=True, slots=True)
class ParkingQueue:
    """One parking place: its queue, and what audit records call what lies in it."""

    queue: str
    kind: str


DEAD_LETTERS = ParkingQueue(DEAD, "dead_letters")
UNROUTED_MESSAGES = ParkingQueue(UNROUTED, "unrouted")


def tenant_of(parked: Parked) -> str | None:
    """Return the tenant that a parked message belongs to, or None when only the installation's operators may see it.

    A tenant is believed only from the routing key, which the broker lets those publish under who may, and never from a
    body or from the SMS configuration that a webhook came through: tenants may share an account with its webhooks.
    """
    found = _TENANT_KEY.fullmatch(parked.routing_key)
    if found is None or found[2] == NO_TENANT:
        return None
    asked = found[1] == "outbound"
    if parked.source is None:
        # Nobody was bound. Its headers are the publisher's, so the key is the one that the broker saw.
        believed = parked.routing_key == parked.delivery.routing_key
    else:
        believed = is_outbound(parked.source) if asked else parked.source.startswith(_PBX)
    return found[2] if believed else None


class Parking:
    """One parking place. Without a broker every call raises BrokerAway. `doors` is where webhooks go again; `is_proved`
    whether a configuration's webhook speaks for all who borrow its trunk.
    """

    def __init__(
        self,
        place: ParkingQueue,
        broker: Broker | None,
        store: Store,
        clock: Callable[[], datetime],
        doors: WebhookReposting,
        is_proved: IsProved,
    ) -> None:
        self._place = place
        self._doors = doors
        self._is_proved = is_proved
        self._broker = broker
        self._store = store
        self._clock = clock
        # Two who look at once would each see only a part.
        self._one_at_a_time = asyncio.Lock()

    async def find(self, caller: Caller, asked: ParkedFilter) -> tuple[int, list[ParkedView]]:
        """Return how many of those that are looked at match, and a page of them, the oldest first. Raises BrokerAway.

        The oldest MAX_LISTED are looked at, and fewer when they have MAX_LISTED_BYTES together.
        """
        async with self._held(caller) as held:
            found = [parked for parked, _ in held if asked.code in {None, _code(parked)}]
        # What was looked at before may have come back in another order.
        found.sort(key=lambda parked: _when(parked) or "")
        page = found[asked.skip : asked.skip + asked.top]
        stuck = await self._stuck(page)
        return len(found), [_view(parked, stuck.get(parked.id)) for parked in page]

    async def read(self, caller: Caller, parked_id: str) -> ParkedBodyView:
        """Return one with its body, numbers masked and texts starred. Raises NotFound, BrokerAway."""
        parked = await self._one(caller, parked_id)
        stuck = (await self._stuck([parked])).get(parked.id)
        return ParkedBodyView(**_facts(parked, stuck), body=_masked(parked.delivery.body), revealed=False)

    async def reveal(self, caller: Caller, parked_id: str) -> ParkedBodyView:
        """Return one as it is, once the audit log says who saw it. Raises NotFound, BrokerAway."""
        parked = await self._one(caller, parked_id)
        await self._audit(caller, parked, "revealed")
        stuck = (await self._stuck([parked])).get(parked.id)
        facts = {**_facts(parked, stuck), "routing_key": parked.routing_key}
        return ParkedBodyView(**facts, body=_shown(parked.delivery.body), revealed=True)

    async def replay(self, caller: Caller, ids: Sequence[str], tenant_id: str | None) -> ParkedResultView:
        """Send messages back to where they came from; each is confirmed there before it is removed here.

        Inbound texts that nobody got go the way of new ones. With `tenant_id` these are texts to that tenant's numbers,
        by whatever webhook they came, and only who sees all tenants may say so. Raises Forbidden, Invalid, and
        BrokerAway when nothing was done.
        """
        if tenant_id is not None and caller.tenancy is not None:
            raise Forbidden("Only who sees all tenants can give a text to one.")
        if tenant_id is not None and await self._store.get(TenantRecord, tenant_id, caller.tenancy) is None:
            raise Invalid.of("tenant_id", "is not a known tenant")
        broker = self._connected()
        owners = await ReplayCheck.load(self._store, self._is_proved)

        async def do(parked: Parked, held: Held) -> None:
            config_id = _webhook_of(parked)
            if config_id is None:
                text = parked.text
                if text is not None and (refusal := await owners.refusal(text, tenant_id)) is not None:
                    raise refusal
                message = _back(parked, tenant_id)
                await self._audit(caller, parked, "replayed")
                await _publish(broker, message)
            else:
                hand_in = await self._doors.door(config_id)
                await self._audit(caller, parked, "replayed")
                kept_for = await hand_in(parked.delivery.body)
                if kept_for is not None:
                    await held.remove()  # ingress has put it here again, under the same id
                    raise ReplayRefused(kept_for, _still(parked))
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
        """Do it to each of these, one after the other. What cannot be done to one leaves it where it is."""
        wanted, done, left = frozenset(ids), list[str](), dict[str, ReplayRefused]()
        trouble: Unavailable | None = None
        async with self._held(caller) as held:
            for parked, one in ((parked, one) for parked, one in held if parked.id in wanted):
                try:
                    if trouble is not None:
                        raise trouble
                    await do(parked, one)
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
        async with self._held(caller) as held:
            found = next((parked for parked, _ in held if parked.id == parked_id), None)
        if found is None:
            raise NotFound("There is no such message here, among the oldest at least.")
        return found

    @asynccontextmanager
    async def _held(self, caller: Caller) -> AsyncIterator[list[tuple[Parked, Held]]]:
        """Hold what the caller may see of the oldest messages."""
        look = self._connected().browse(self._place.queue, limit=MAX_LISTED, budget=MAX_LISTED_BYTES)
        async with self._one_at_a_time, look as held:
            both = [(Parked.read(one.delivery), one) for one in held]
            yield [(parked, one) for parked, one in both if _sees(caller, parked)]

    async def _stuck(self, page: Sequence[Parked]) -> Mapping[str, ReplayRefused]:
        """Why what is on a page would stay where it is, by its id."""
        stuck = {parked.id: why for parked in page if (why := _stuck(parked)) is not None}
        texts = {parked.id: text for parked in page if (text := parked.text) is not None}
        if texts:
            owners = await ReplayCheck.load(self._store, self._is_proved)
            found = {parked_id: await owners.refusal(text) for parked_id, text in texts.items()}
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
            kind=self._place.kind,
            object_id=parked.id,
            action=action,
            version=0,
            changes=(),
            before=_view(parked).model_dump(mode="json", include={"code", "reason", "source", "routing_key", "type"}),
        )

        async def write(transaction: Transaction) -> None:
            await transaction.insert(record)

        await self._store.transact(write)
        _log.info("parked." + action, place=self._place.kind, id=parked.id)


def _sees(caller: Caller, parked: Parked) -> bool:
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
    """Return the SMS configuration whose webhook it came through, when it did."""
    parts = parked.routing_key.split(".")
    named = parts[3] if parts[:2] == ["sms", "carrier"] and len(parts) == 4 else ""  # noqa: PLR2004  # sms.carrier.<carrier>.<config>
    return named if re.fullmatch(ID_PATTERN, named) else None


def _webhook_of(parked: Parked) -> str | None:
    """Return the SMS configuration to whose webhook it can be handed in again, or None."""
    return _config(parked) if parked.source == FROM_WEBHOOKS else None


def _stuck(parked: Parked) -> ReplayRefused | None:
    if _webhook_of(parked) is not None:
        return None
    try:
        _back(parked)
    except ReplayRefused as reason:
        return reason
    return None


def _back(parked: Parked, tenant_id: str | None = None) -> Outgoing:
    """Return it as it is published again. Raises Stays."""
    try:
        return parked.back(tenant_id=tenant_id)
    except NoWayBack as reason:
        no_text = tenant_id is not None or parked.source is None
        raise ReplayRefused(ReplayRefusal.NO_INBOUND_TEXT if no_text else ReplayRefusal.NO_QUEUE, str(reason)) from None


def _still(parked: Parked) -> str:
    why = "Nothing here can use it." if parked.reason is None else redact_text(parked.reason)
    return f"It was handed in once more, and lies here as before: {why}"


async def _publish(broker: Broker, message: Outgoing) -> None:
    """Return once the broker has confirmed it. Raises Stays when the queue it came from is gone, Unavailable."""
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
    """The body as JSON where it is, else as text."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="backslashreplace")
