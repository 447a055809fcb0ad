"""What a PBX, an administrator and the world of handsets do with the gateway, seen from outside its containers."""

import asyncio
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from sms_common.broker import Delivery, Outgoing, RabbitBroker
from sms_common.broker_rights import pbx_passwords, pbx_user
from sms_common.errors import Code, Unavailable
from sms_common.events import InboundEvent, OutboundRequest, StatusEvent, decode
from sms_common.topology import (
    SMS,
    Topology,
    outbound_key,
    pbx_inbound_queue,
    pbx_requests_exchange,
    pbx_status_queue,
)
from tests.compose.stack import Stack

PASSWORD = "callback-password"
HANDSET = "+13125550100"


class Pbx:
    """The PBX's side of RabbitMQ: publishes requests and remembers every event it is told, each once."""

    def __init__(self, broker: RabbitBroker, pbx_id: str, exchange: str) -> None:
        self.statuses: dict[str, list[StatusEvent]] = defaultdict(list)
        self.inbound: dict[str, InboundEvent] = {}
        self._broker = broker
        self._pbx_id = pbx_id
        self._exchange = exchange
        self._seen: set[str] = set()
        self._news = asyncio.Condition()

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, amqp_url: str, pbx_id: str, exchange: str = SMS, *, listens: bool = True
    ) -> AsyncIterator[Self]:
        """A PBX that listens to its two queues, also after the broker was away; or one that only sends."""
        async with RabbitBroker(amqp_url, name="test-pbx", topology=Topology()) as broker:
            await broker.ready()
            pbx = cls(broker, pbx_id, exchange)
            if listens:
                await broker.consume(pbx_status_queue(pbx_id), pbx._on_status, prefetch=100)
                await broker.consume(pbx_inbound_queue(pbx_id), pbx._on_inbound, prefetch=100)
            yield pbx

    async def _on_status(self, delivery: Delivery) -> None:
        event = decode(StatusEvent.TYPE, delivery.body)
        assert isinstance(event, StatusEvent)
        async with self._news:
            if event.event_id not in self._seen:
                self._seen.add(event.event_id)
                self.statuses[event.message_id].append(event)
            self._news.notify_all()

    async def _on_inbound(self, delivery: Delivery) -> None:
        event = decode(InboundEvent.TYPE, delivery.body)
        assert isinstance(event, InboundEvent)
        async with self._news:
            self.inbound.setdefault(event.event_id, event)
            self._news.notify_all()

    async def send(self, tenant_id: str, to: str, text: str, message_id: str | None = None) -> str:
        """Publish the smallest request until the broker confirms it; its message_id."""
        message_id = message_id or str(uuid.uuid4())
        request = OutboundRequest(message_id=message_id, tenant_id=tenant_id, extension="101", to=(to,), text=text)
        outgoing = Outgoing(self._exchange, outbound_key(tenant_id), request.encode(), request.TYPE, message_id)
        while True:
            try:
                await self._broker.publish(outgoing)
            except Unavailable:
                continue
            return message_id

    async def until(self, told: Callable[["Pbx"], bool], seconds: float = 60) -> None:
        """Return once `told(self)`. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: told(self))

    async def until_configured(self, tenant_id: str) -> None:
        """Send what cannot be sent until that is all that is wrong: the dispatcher has heard of the tenant's setup."""
        code = None
        while code != Code.NO_CONTENT:
            message_id = await self.send(tenant_id, HANDSET, "")
            await self.until_final([message_id])
            error = self.statuses[message_id][-1].error
            assert error is not None
            code = error.code

    async def until_final(self, message_ids: Iterable[str], seconds: float = 60) -> None:
        """Return once each message has a final status."""
        missing = list(message_ids)

        def told(pbx: Pbx) -> bool:
            missing[:] = [number for number in missing if not pbx.final(number)]
            return not missing

        try:
            await self.until(told, seconds)
        except TimeoutError as error:
            error.add_note(f"no final status: { ({number: self.course(number) for number in missing}) }")
            raise

    def final(self, message_id: str) -> list[str]:
        """The final statuses of a message: one, when all went well."""
        return [event.status.value for event in self.statuses[message_id] if event.final]

    def course(self, message_id: str) -> list[str]:
        """The statuses of a message in the order of its life."""
        return [event.status.value for event in sorted(self.statuses[message_id], key=lambda event: event.sequence)]


class Api:
    """A JSON API with a bearer token."""

    def __init__(self, http: aiohttp.ClientSession, base: str, token: str) -> None:
        self._http = http
        self._base = base
        self._headers = {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """The decoded answer; None for an empty one. Raises RuntimeError, with the answer, unless it is a 2xx."""
        async with self._http.request(method, self._base + path, json=body, headers=self._headers) as answer:
            text = await answer.text()
            if not answer.ok:
                raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]}")
            return await answer.json() if text else None


class World:
    """Bandwidth and the handsets behind it: one account whose webhooks go to one SMS configuration."""

    def __init__(
        self, simulator: Api, config: Mapping[str, Any], numbers: list[str], credentials: Mapping[str, str]
    ) -> None:
        self._simulator = simulator
        callback = {"username": config["callback"]["username"], "password": PASSWORD}
        self._account_id = credentials["account_id"]
        self._account = {
            "credentials": [{"client_id": credentials["api_token"], "client_secret": credentials["api_secret"]}],
            "applications": [
                {
                    "application_id": credentials["application_id"],
                    "inbound_url": config["webhook"],
                    "outbound_url": config["webhook"],
                    "inbound_credentials": callback,
                    "outbound_credentials": callback,
                    "numbers": numbers,
                }
            ],
        }

    async def exist(self) -> None:
        """Make the account known; the simulator remembers none after a restart."""
        await self._simulator.call("PUT", f"/_simulator/accounts/{self._account_id}", self._account)

    async def text_in(self, to: str, text: str) -> str:
        """A text from a handset; Bandwidth's id of it."""
        answer = await self._simulator.call("POST", "/_simulator/inbound", {"from": HANDSET, "to": to, "text": text})
        return str(answer["messages"][0]["message_id"])

    async def until_webhook_taken(self, message_id: str) -> None:
        """Return once the gateway has answered 200 to a webhook about this message."""
        where = {"message_id": message_id, "answered": 200}
        await self._simulator.call("POST", "/_simulator/wait", {"webhooks": 1, "timeout": 60, "where": where})

    async def arrivals(self, prefix: str) -> Counter[str]:
        """How often Bandwidth was given each text that begins with `prefix`."""
        answer = await self._simulator.call("GET", "/_simulator/arrivals?limit=100000")
        return Counter(arrival["text"] for arrival in answer["arrivals"] if arrival["text"].startswith(prefix))


@dataclass(frozen=True, slots=True)
class Gateway:
    """The running stack and those who use it."""

    stack: Stack
    http: aiohttp.ClientSession
    configuration: Api
    world: World
    objects: tuple[str, ...]
    amqp_url: str
    tenant: str
    did: str

    def pbx(self, *, listens: bool = True) -> AbstractAsyncContextManager[Pbx]:
        """A connected PBX, as an async context manager."""
        return Pbx.connected(self.amqp_url, "main", listens=listens)

    def pbx_with_its_own_user(self) -> AbstractAsyncContextManager[Pbx]:
        """A connected PBX whose user may do only what a PBX does."""
        values = self.stack.environment
        password = pbx_passwords(values["RABBITMQ_PBX_PASSWORDS"])[pbx_user("main")]
        amqp_url = f"amqp://{pbx_user('main')}:{password}@127.0.0.1:{values['AMQP_PORT']}/"
        return Pbx.connected(amqp_url, "main", pbx_requests_exchange("main"))

    async def record(self, message_id: str) -> Any:
        """What the dispatchers' store says of a message."""
        base = f"http://127.0.0.1:{next(self.stack.dispatcher_ports())}"
        api = Api(self.http, base, self.stack.environment["DISPATCHER_API_TOKEN"])
        return await api.call("GET", f"/api/v1/messages/{self.tenant}/{message_id}")

    async def configured(self) -> list[Any]:
        """Everything the administrator made, as the API shows it."""
        return [await self.configuration.call("GET", path) for path in self.objects]
