"""Dead letters and unrouted messages for people: what is parked and why, and back or away with it; none is ever lost.

They stay in RabbitMQ. Looking holds them for that long and gives them back; one is removed only after it was published
again and confirmed (a carrier's webhook: after ingress took it again), or at a person's wish. What was done, and by
whom, is in the audit log before it is done.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import orjson
import structlog

from sms_common.broker import FROM_WEBHOOKS, Broker, Held, NoWayBack, Outgoing, Parked, Unroutable
from sms_common.configuration import ID_PATTERN
from sms_common.errors import Unavailable
from sms_common.telemetry import redact, redact_text
from sms_common.topology import DEAD, NO_TENANT, UNROUTED, is_outbound
from sms_config.auth import Caller
from sms_config.bodies import ParkedFilter
from sms_config.changes import new_id
from sms_config.problems import BrokerAway, Forbidden, Invalid, NotFound
from sms_config.records import AuditRecord, Deed, TenantRecord
from sms_config.store_protocol import Store, Transaction
from sms_config.views import ParkedBodyView, ParkedResultView, ParkedView, Reason

_log = structlog.get_logger()

# In memory at once. A text has a kilobyte; a broker without a limit of its own takes bodies of many megabytes.
LOOKED_AT = 1_000
LOOKED_AT_BYTES = 32 * 1024 * 1024
_LONGEST_CODE = 64
_TENANT_KEY = re.compile(r"sms\.(outbound|inbound|status)\.([A-Za-z0-9_-]{1,64})(?:\..*)?", re.DOTALL)
_PBX = "pbx."


class Stay(StrEnum):
    """What keeps a parked message where it is, besides what a webhook answers (TrialCode) and what is away."""

    NO_OWNER = "no_owner"
    NO_QUEUE = "no_queue"
    NO_INBOUND_TEXT = "no_inbound_text"
    QUEUE_GONE = "queue_gone"
    CONFIG_GONE = "config_gone"
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105  # the name of a reason


class Stays(Exception):  # it is an answer to the person who asked
    """Why a parked message stays where it is: a stable code, and a sentence that also tells what to do."""

    def __init__(self, code: str, says: str) -> None:
        super().__init__(says)
        self.code = code
        self.says = says


class Doors(Protocol):
    """The webhooks of SMS configurations, where a body can be handed in again, as the carrier did."""

    async def door(self, config_id: str) -> Callable[[bytes], Awaitable[None]]:
        """Return what hands a body in and returns once ingress has taken it; both raise Stays."""


@dataclass(frozen=True, slots=True)
class Place:
    """One parking place: its queue, and what audit records call what lies in it."""

    queue: str
    kind: str


DEAD_LETTERS = Place(DEAD, "dead_letters")
UNROUTED_MESSAGES = Place(UNROUTED, "unrouted")


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
    """One parking place. Without a broker every call raises BrokerAway. `doors` is where webhooks go again."""

    def __init__(
        self,
        place: Place,
        broker: Broker | None,
        store: Store,
        clock: Callable[[], datetime],
        doors: Doors,
    ) -> None:
        self._place = place
        self._doors = doors
        self._broker = broker
        self._store = store
        self._clock = clock
        # Two who look at once would each see only a part.
        self._one_at_a_time = asyncio.Lock()

    async def find(self, caller: Caller, asked: ParkedFilter) -> tuple[int, list[ParkedView]]:
        """Return how many of those that are looked at match, and a page of them, the oldest first. Raises BrokerAway.

        The oldest LOOKED_AT are looked at, and fewer when they have LOOKED_AT_BYTES together.
        """
        async with self._held(caller) as held:
            found = [parked for parked, _ in held if asked.code in {None, _code(parked)}]
        # What was looked at before may have come back in another order.
        found.sort(key=lambda parked: _when(parked) or "")
        return len(found), [_view(parked) for parked in found[asked.skip : asked.skip + asked.top]]

    async def read(self, caller: Caller, parked_id: str) -> ParkedBodyView:
        """Return one with its body, numbers masked and texts starred. Raises NotFound, BrokerAway."""
        parked = await self._one(caller, parked_id)
        return ParkedBodyView(**_facts(parked), body=_masked(parked.delivery.body), revealed=False)

    async def reveal(self, caller: Caller, parked_id: str) -> ParkedBodyView:
        """Return one as it is, once the audit log says who saw it. Raises NotFound, BrokerAway."""
        parked = await self._one(caller, parked_id)
        await self._audit(caller, parked, "revealed")
        facts = {**_facts(parked), "routing_key": parked.routing_key}
        return ParkedBodyView(**facts, body=_shown(parked.delivery.body), revealed=True)

    async def replay(self, caller: Caller, ids: Sequence[str], tenant_id: str | None) -> ParkedResultView:
        """Send messages back to where they came from; each is confirmed there before it is removed here.

        `tenant_id` gives inbound texts that nobody owned to a tenant, and only who sees all tenants may do that.
        Raises Forbidden, Invalid, and BrokerAway when nothing was done.
        """
        if tenant_id is not None and caller.tenancy is not None:
            raise Forbidden("Only who sees all tenants can give a text to one.")
        if tenant_id is not None and await self._store.get(TenantRecord, tenant_id, caller.tenancy) is None:
            raise Invalid.of("tenant_id", "is not a known tenant")
        broker = self._connected()

        async def do(parked: Parked, held: Held) -> None:
            config_id = _webhook_of(parked)
            if config_id is None:
                message = _back(parked, tenant_id)
                await self._audit(caller, parked, "replayed")
                await _publish(broker, message)
            else:
                hand_in = await self._doors.door(config_id)
                await self._audit(caller, parked, "replayed")
                await hand_in(parked.delivery.body)
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
        wanted, done, left = frozenset(ids), list[str](), dict[str, Stays]()
        trouble: Unavailable | None = None
        async with self._held(caller) as held:
            for parked, one in ((parked, one) for parked, one in held if parked.id in wanted):
                try:
                    if trouble is not None:
                        raise trouble
                    await do(parked, one)
                except Stays as reason:
                    left[parked.id] = reason
                except Unavailable as away:
                    if not done:
                        raise
                    trouble, left[parked.id] = away, Stays(away.code, away.reason)
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
        look = self._connected().browse(self._place.queue, limit=LOOKED_AT, budget=LOOKED_AT_BYTES)
        async with self._one_at_a_time, look as held:
            both = [(Parked.read(one.delivery), one) for one in held]
            yield [(parked, one) for parked, one in both if _sees(caller, parked)]

    def _connected(self) -> Broker:
        if self._broker is None:
            raise BrokerAway("This process has no connection to RabbitMQ.")
        return self._broker

    async def _audit(self, caller: Caller, parked: Parked, action: Deed) -> None:
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


def _view(parked: Parked) -> ParkedView:
    return ParkedView(**_facts(parked))


def _facts(parked: Parked) -> dict[str, Any]:
    stuck = _stuck(parked)
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


def _stuck(parked: Parked) -> Stays | None:
    if _webhook_of(parked) is not None:
        return None
    try:
        _back(parked)
    except Stays as reason:
        return reason
    return None


def _back(parked: Parked, tenant_id: str | None = None) -> Outgoing:
    """Return it as it is published again. Raises Stays."""
    try:
        return parked.back(tenant_id=tenant_id)
    except NoWayBack as reason:
        # There is one reason for each: what is given to a tenant, what was published, and what came from somewhere.
        without_tenant = Stay.NO_OWNER if parked.source is None else Stay.NO_QUEUE
        code = without_tenant if tenant_id is None else Stay.NO_INBOUND_TEXT
        raise Stays(code, str(reason)) from None


async def _publish(broker: Broker, message: Outgoing) -> None:
    """Return once the broker has confirmed it. Raises Stays when the queue it came from is gone, Unavailable."""
    try:
        await broker.publish(message)
    except Unroutable:
        raise Stays(Stay.QUEUE_GONE, f"There is no queue {message.routing_key} any more.") from None


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
