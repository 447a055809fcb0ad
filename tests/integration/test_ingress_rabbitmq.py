"""The door on real RabbitMQ: a 2xx means that the broker has it, whatever happens to the broker."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from sms_common import topology
from sms_common.broker import Outgoing, RabbitBroker, Timeouts
from sms_common.carriers.bandwidth import Bandwidth
from sms_common.configuration import IngressSnapshot, WebhookEndpoint, WebhookToken, token_digest
from sms_common.events import ConfigChanged, utc_now
from sms_ingress.main import main
from sms_ingress.server import serve_webhooks
from sms_ingress.settings import IngressSettings
from sms_ingress.webhook_handler import WebhookHandler
from tests.common.broker.broker_contract import everything_in, until_unwell, until_well
from tests.integration.network import Network
from tests.stack import BreakableBroker

pytestmark = pytest.mark.integration

SAMPLES = sorted((Path(__file__).parent.parent / "data" / "webhooks").glob("*.json"))
TOKEN = "tok-of-this-test"
PATH = f"/webhooks/bandwidth/{TOKEN}"
PATIENCE = 30

Post = Callable[[bytes], Awaitable[int]]
Open = Callable[[RabbitBroker], AbstractAsyncContextManager[Post]]


def snapshot(version: str, *tokens: str) -> IngressSnapshot:
    known = tuple(WebhookToken(sha256=token_digest(token)) for token in tokens)
    return IngressSnapshot(
        version=version,
        endpoints=(WebhookEndpoint(config_id="c1", tenant_id="t1", carrier="bandwidth", tokens=known),),
    )


def receipt(number: int) -> bytes:
    return json.dumps(
        [
            {
                "type": "message-delivered",
                "time": "2026-11-24T13:00:00Z",
                "to": "+14045550121",
                "description": "ok",
                "message": {"id": f"m{number}", "from": "+12025550143", "to": ["+14045550121"], "direction": "out"},
            }
        ]
    ).encode()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@asynccontextmanager
async def rabbit(url: str, *, publish: float = 5.0) -> AsyncIterator[RabbitBroker]:
    timeouts = Timeouts(publish=publish, connect=5)
    async with RabbitBroker(url, name="ingress", topology=topology.base(), timeouts=timeouts) as broker:
        yield broker


@pytest.fixture
def opened(http: aiohttp.ClientSession) -> Open:
    """Open the door before a broker; gives a function that posts a body and returns the status."""

    @asynccontextmanager
    async def opening(broker: RabbitBroker) -> AsyncIterator[Post]:
        held = snapshot("1", TOKEN)
        handler = WebhookHandler(publisher=broker, snapshot=lambda: held, carriers={"bandwidth": Bandwidth()})
        async with serve_webhooks(handler.handle, "127.0.0.1", 0) as port:

            async def post(body: bytes) -> int:
                async with http.post(f"http://127.0.0.1:{port}{PATH}", data=body) as answer:
                    return int(answer.status)

            yield post

    return opening


async def ids_in(broker: RabbitBroker, queue: str) -> list[str | None]:
    return [delivery.message_id for delivery in await everything_in(broker, queue)]


async def test_what_was_answered_200_is_in_the_dispatchers_queue_or_among_the_dead_letters(opened: Open, vhost: str):
    async with rabbit(vhost) as broker, opened(broker) as post:
        await asyncio.wait_for(broker.ready(), PATIENCE)
        statuses = await asyncio.gather(*(post(sample.read_bytes()) for sample in SAMPLES))
        events = await everything_in(broker, topology.CARRIER)
        letters = await everything_in(broker, topology.DEAD)

    assert set(statuses) == {200}
    assert (len(events), len(letters)) == (40, 5)
    assert {delivery.routing_key for delivery in events} == {"sms.carrier.bandwidth.c1"}
    assert {letter.headers["x-code"] for letter in letters} == {"webhook_not_handled"}
    bodies = {sample.read_bytes() for sample in SAMPLES}
    assert all(letter.body in bodies for letter in letters)


async def test_no_webhook_answered_200_is_lost_while_connections_are_cut(opened: Open, vhost: str):
    async with (
        Network(vhost) as network,
        rabbit(vhost) as reader,
        rabbit(network.url) as broker,
        opened(broker) as post,
    ):
        await asyncio.wait_for(asyncio.gather(broker.ready(), reader.ready()), PATIENCE)
        answers: dict[str, int] = {}

        async def carrier(numbers: Iterable[int]) -> None:
            for number in numbers:
                answers[f"m{number}"] = await post(receipt(number))
                if number % 40 == 0:
                    network.cut()

        await asyncio.gather(*(carrier(range(start, 240, 8)) for start in range(8)))
        found = {
            json.loads(delivery.body)["carrier_message_id"] for delivery in await everything_in(reader, "sms.carrier")
        }

    accepted = {message_id for message_id, status in answers.items() if status == 200}
    assert set(answers.values()) <= {200, 503}
    assert accepted
    assert accepted <= found


async def test_with_the_broker_away_it_is_503_until_it_is_back(opened: Open, vhost: str):
    async with Network(vhost) as network, rabbit(network.url, publish=0.5) as broker, opened(broker) as post:
        await asyncio.wait_for(broker.ready(), PATIENCE)
        network.freeze()
        network.cut()
        away = await post(receipt(1))
        network.thaw()
        await until_well(broker)
        back = await post(receipt(1))
        found = await ids_in(broker, topology.CARRIER)

    assert (away, back) == (503, 200)
    assert len(set(found)) == 1


async def test_a_broker_with_an_alarm_is_503_and_not_ready(
    opened: Open, breakable_rabbitmq: BreakableBroker, breakable_vhost: str
):
    async with rabbit(breakable_vhost, publish=1.0) as broker, opened(broker) as post:
        await asyncio.wait_for(broker.ready(), PATIENCE)
        await asyncio.to_thread(breakable_rabbitmq.set_memory_alarm, on=True)
        answers: list[int] = []
        async with asyncio.timeout(PATIENCE):
            while 503 not in answers:  # the broker notices its alarm a little late
                answers.append(await post(receipt(len(answers))))
        await until_unwell(broker)
        await asyncio.to_thread(breakable_rabbitmq.set_memory_alarm, on=False)
        await until_well(broker)
        back = await post(receipt(0))

    assert set(answers) <= {200, 503}
    assert back == 200


class ConfigService:
    """Answers with whatever snapshot the test set."""

    def __init__(self) -> None:
        self.held = snapshot("1")

    async def answer(self, _: web.Request) -> web.Response:
        # The digests are no secrets, so this snapshot can be dumped as it is.
        return web.Response(body=self.held.model_dump_json().encode(), headers={"ETag": f'"{self.held.version}"'})


@pytest.fixture
async def config() -> AsyncIterator[tuple[ConfigService, str]]:
    service = ConfigService()
    app = web.Application()
    app.router.add_get("/internal/v1/snapshot/ingress", service.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield service, f"http://127.0.0.1:{site.port}"
    await runner.cleanup()


async def test_the_whole_service_takes_a_new_webhook_within_a_second_of_its_announcement(
    config, vhost, http, unused_tcp_port_factory
):
    service, url = config
    port, health_port = unused_tcp_port_factory(), unused_tcp_port_factory()
    settings = IngressSettings(
        port=port,
        health_port=health_port,
        amqp_url=SecretStr(vhost),
        config_url=url,
        config_token=SecretStr("token"),
        leave_seconds=0,
    )
    stop = asyncio.Event()
    serving = asyncio.create_task(main(settings, stop))

    async def status(method: str, url: str) -> int:
        async with http.request(method, url, data=receipt(1) if method == "POST" else None) as answer:
            return int(answer.status)

    async def until(status_wanted: int, method: str, url: str) -> None:
        while True:
            try:
                if await status(method, url) == status_wanted:
                    return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.02)  # nothing announces that another process's view has changed

    webhook = f"http://127.0.0.1:{port}{PATH}"
    async with rabbit(vhost) as other:
        try:
            await asyncio.wait_for(until(200, "GET", f"http://127.0.0.1:{health_port}/readyz"), PATIENCE)
            await asyncio.wait_for(other.ready(), PATIENCE)
            assert await status("POST", webhook) == 404
            service.held = snapshot("2", TOKEN)
            await other.publish(announcement())
            await asyncio.wait_for(until(200, "POST", webhook), 1)
        finally:
            stop.set()
            await asyncio.wait_for(serving, PATIENCE)
        assert len(await ids_in(other, topology.CARRIER)) == 1


def announcement() -> Outgoing:
    event = ConfigChanged(
        event_id="e1",
        tenant_id="t1",
        change="created",
        kind="sms_config",
        object_id="c1",
        version="2",
        occurred_at=utc_now(),
    )
    return Outgoing(topology.SMS, topology.config_key("t1", "created"), event.encode(), event.TYPE, event.event_id)
