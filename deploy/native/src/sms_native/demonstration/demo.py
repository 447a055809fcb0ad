"""The demonstration: a text out, a text in, and every event of both in RabbitMQ.

Knows the gateway from outside only: its REST API, its exchange, and the simulator's control API.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import aiohttp

from sms_common.broker import Delivery, Outgoing, RabbitBroker
from sms_common.errors import GatewayError
from sms_common.events import (
    CarrierInboundEvent,
    CarrierReceiptEvent,
    Event,
    InboundEvent,
    OutboundRequest,
    StatusEvent,
    decode,
)
from sms_common.messages import Status
from sms_common.topology import SMS, base, outbound_key
from sms_native.demonstration.seed import DID, TENANT, configuration, seed, simulator
from sms_native.gateway.stack import Stack
from sms_native.machine.processes import NativeError
from sms_native.machine.terminal import Terminal

HANDSET = "+13125550100"
_TEXT_OUT = "Hello from the PBX"
_TEXT_IN = "Hello from a handset"
_TOLD = 40
"""Seconds in which both services learn of a change, even if they missed its announcement."""
_WAY = 30
"""Seconds that a text may take from end to end."""


class _Passing:
    """Every event on the exchange, with the time at which it was received."""

    def __init__(self) -> None:
        self.seen: list[tuple[datetime, str, Event]] = []
        self._news = asyncio.Condition()

    async def note(self, delivery: Delivery | None) -> None:
        """Add one delivery; None means that the subscription has begun."""
        if delivery is None or delivery.type is None:
            return
        with suppress(GatewayError):  # a message of another program that cannot be read is ignored
            event = decode(delivery.type, delivery.body)
            async with self._news:
                self.seen.append((datetime.now(UTC), delivery.routing_key, event))
                self._news.notify_all()

    async def until(self, what: str, wanted: Callable[[Event], bool]) -> Event:
        """Return the first event that is `wanted`. Raises NativeError, naming `what`, when none comes in time."""
        try:
            async with asyncio.timeout(_WAY), self._news:
                await self._news.wait_for(lambda: any(wanted(event) for _, _, event in self.seen))
        except TimeoutError as error:
            raise NativeError(f"{what} did not come within {_WAY} s") from error
        return next(event for _, _, event in self.seen if wanted(event))

    def trace(self, mine: Callable[[Event], bool]) -> list[str]:
        """Return a line for each event that is `mine`, with the milliseconds since the first."""
        chosen = [(moment, key, event) for moment, key, event in self.seen if mine(event)]
        begun = min((moment for moment, _, _ in chosen), default=datetime.now(UTC))
        return [
            f"  {(moment - begun).total_seconds() * 1000:7.0f} ms  {key:<48.48}  {_summary(event)}"
            for moment, key, event in chosen
        ]


async def run(stack: Stack, terminal: Terminal) -> None:
    """Send a text in each direction and print its events. Raises NativeError if one of them does not arrive."""
    async with aiohttp.ClientSession() as http:
        seeded = await seed(http, stack)
        async with (
            RabbitBroker(stack.amqp_url, name="demonstration", topology=base()) as broker,
            _tap(broker) as passing,
        ):
            if seeded.fresh:
                await _known(http, stack)
            message_id, carrier_id_out = await _text_out(broker, passing)
            carrier_id_in = await _text_in(http, stack, passing)
        out = passing.trace(lambda event: _our_id(event) == message_id or _carrier_id(event) == carrier_id_out)
        back = passing.trace(lambda event: _carrier_id(event) == carrier_id_in)
        terminal.say(f"a text out: {DID} to {HANDSET}")
        terminal.show("\n".join(out))
        terminal.say(f"a text in: {HANDSET} to {DID}")
        terminal.show("\n".join(back))


@asynccontextmanager
async def _tap(broker: RabbitBroker) -> AsyncIterator[_Passing]:
    """Listen to everything on the exchange."""
    passing, listening = _Passing(), asyncio.Event()

    async def note(delivery: Delivery | None) -> None:
        if delivery is None:
            listening.set()
        await passing.note(delivery)

    subscription = await broker.listen("sms.#", note)
    try:
        async with asyncio.timeout(_WAY):
            await broker.ready()
            await listening.wait()
    except TimeoutError as error:
        raise NativeError("RabbitMQ cannot be reached with the address of AMQP") from error
    try:
        yield passing
    finally:
        await subscription.cancel()


async def _known(http: aiohttp.ClientSession, stack: Stack) -> None:
    """Return when the dispatcher knows the new configuration. Before that it would reject the text, and the first
    message in the PBX's queue would be a rejection.
    """
    question = {"tenant_id": TENANT, "extension": "101", "to": HANDSET, "text": _TEXT_OUT}
    try:
        async with asyncio.timeout(_TOLD):
            while (await configuration(http, stack).call("POST", "/api/v1/explain/outbound", question))["rejection"]:  # noqa: ASYNC110  # the gateway does not announce this
                await asyncio.sleep(0.2)
    except TimeoutError as error:
        raise NativeError(f"the dispatcher did not learn of the new configuration within {_TOLD} s") from error


async def _text_out(broker: RabbitBroker, passing: _Passing) -> tuple[str, str | None]:
    """Send a text and wait until it is delivered; return its id and the carrier's."""
    message_id = str(uuid.uuid4())
    body = OutboundRequest(message_id=message_id, tenant_id=TENANT, extension="101", to=(HANDSET,), text=_TEXT_OUT)
    await broker.publish(Outgoing(SMS, outbound_key(TENANT), body.encode(), body.TYPE, message_id))
    final = await passing.until(
        "the final status of the text out",
        lambda event: isinstance(event, StatusEvent) and event.final and event.message_id == message_id,
    )
    assert isinstance(final, StatusEvent)
    if final.status is not Status.DELIVERED:
        raise NativeError(f"the text out ended as {final.status.value}: {final.reason}")
    return message_id, final.provider_msg_id


async def _text_in(http: aiohttp.ClientSession, stack: Stack, passing: _Passing) -> str:
    """Send a text from a handset, wait until it is published for the PBX, and return its id at the carrier."""
    answer = await simulator(http, stack).call(
        "POST", "/_simulator/inbound", {"from": HANDSET, "to": DID, "text": _TEXT_IN}
    )
    carrier_id = str(answer["messages"][0]["message_id"])
    await passing.until(
        "the text in", lambda event: isinstance(event, InboundEvent) and event.provider_msg_id == carrier_id
    )
    return carrier_id


def _our_id(event: Event) -> str | None:
    """Return the gateway's id of the text that an event is about."""
    return event.message_id if isinstance(event, OutboundRequest | StatusEvent) else None


def _carrier_id(event: Event) -> str | None:
    """Return the carrier's id of the text that an event is about."""
    match event:
        case CarrierReceiptEvent() | CarrierInboundEvent():
            return event.carrier_message_id
        case InboundEvent():
            return event.provider_msg_id
        case _:
            return None


def _summary(event: Event) -> str:
    """Return a short description of an event."""
    match event:
        case OutboundRequest():
            return f"the PBX asks to send {event.text!r}"
        case StatusEvent():
            final = ", final" if event.final else ""
            return f"{event.status.value}{final}{f' ({event.reason})' if event.reason else ''}"
        case CarrierReceiptEvent():
            return f"Bandwidth says {event.carrier_event}"
        case CarrierInboundEvent():
            return f"Bandwidth delivers {event.text!r}"
        case InboundEvent():
            return f"for the PBX: {event.content!r} from {event.sender}"
        case _:
            return event.TYPE
