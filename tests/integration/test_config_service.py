"""The whole config service on real RabbitMQ and MongoDB, in this process and as a process of its own."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sms_common import topology
from sms_common.broker import Delivery, RabbitBroker
from sms_common.config_client import ConfigClient
from sms_common.configuration import DispatcherSnapshot
from sms_common.events import ConfigChanged, decode
from sms_config.main import main
from sms_config.model.keyring import new_entry
from sms_config.settings import ConfigSettings
from sms_config.storage.store_protocol import StoreUnusable
from tests.config.world import BOOTSTRAP, CREDENTIALS, DISPATCHER, INGRESS, PUBLIC, TRUNK, make_settings
from tests.stack import BreakableBroker, Database

pytestmark = [
    pytest.mark.integration,
    # aiormq drops its own closing when it is cancelled while it connects, as a service that refuses to start does.
    pytest.mark.filterwarnings("ignore:.*Connection.close:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:.*Connection.close:pytest.PytestUnraisableExceptionWarning"),
]
DEADLINE = 30
NOWHERE = "mongodb://127.0.0.1:1/?replicaSet=rs0"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Client:
    """Calls a service that may still be starting."""

    def __init__(self, http: aiohttp.ClientSession, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self._http = http

    async def call(self, method: str, path: str, json: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {BOOTSTRAP}"}
        async with self._http.request(method, self.base + path, json=json, headers=headers) as answer:
            return (
                answer.status,
                await answer.json() if answer.content_type == "application/json" else await answer.text(),
            )

    async def until(self, path: str, status: int) -> Any:
        """The answer at `path` once it has `status`."""
        async with asyncio.timeout(DEADLINE):
            while True:
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    found, body = await self.call("GET", path)
                    if found == status:
                        return body
                await asyncio.sleep(0.05)  # a server that is not there yet announces nothing

    async def seed(self) -> str:
        """A tenant, a trunk and a configuration; the id of the last."""
        status, _ = await self.call("POST", "/api/v1/tenants", {"id": "acme", "name": "Acme"})
        assert status == 201
        _, trunk = await self.call("POST", "/api/v1/trunks", {**TRUNK, "tenant_id": "acme"})
        _, sms = await self.call(
            "POST", "/api/v1/sms", {"name": "N", "provider_id": trunk["id"], "credentials": CREDENTIALS}
        )
        return str(sms["id"])


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def running(http: aiohttp.ClientSession) -> Callable[..., Any]:
    """Run the service in this process with these settings."""

    @asynccontextmanager
    async def run(settings: ConfigSettings) -> AsyncIterator[Client]:
        stop = asyncio.Event()
        serving = asyncio.create_task(main(settings, stop))
        try:
            yield Client(http, settings.port)
        finally:
            stop.set()
            async with asyncio.timeout(DEADLINE):
                await serving

    return run


def settings_for(amqp_url: str, database: Database, **values: Any) -> ConfigSettings:
    return make_settings(
        amqp_url=amqp_url, mongo_url=database.url, mongo_database=database.name, port=free_port(), **values
    )


class Heard:
    """Every configuration change that is published."""

    def __init__(self) -> None:
        self.events: list[ConfigChanged] = []
        self._news = asyncio.Event()

    async def __call__(self, delivery: Delivery | None) -> None:
        if delivery is None:
            return
        event = decode(delivery.type or "", delivery.body)
        assert isinstance(event, ConfigChanged)
        self.events.append(event)
        self._news.set()

    async def until(self, count: int) -> list[ConfigChanged]:
        async with asyncio.timeout(DEADLINE):
            while len({event.event_id for event in self.events}) < count:
                self._news.clear()
                await self._news.wait()
        return self.events


@asynccontextmanager
async def listening(amqp_url: str) -> AsyncIterator[Heard]:
    heard = Heard()
    async with RabbitBroker(amqp_url, name="test", topology=topology.base()) as broker:
        await broker.listen(topology.CONFIG_CHANGES, heard)
        async with asyncio.timeout(DEADLINE):
            await broker.ready()
        yield heard


async def test_every_change_is_announced_and_reaches_a_reader_of_the_snapshot(running, vhost, database):
    settings = settings_for(vhost, database)
    async with running(settings) as client, listening(vhost) as heard:
        await client.until("/readyz", 200)
        config_id = await client.seed()
        reader = ConfigClient(client.base, settings.dispatcher_token, DispatcherSnapshot)
        async with reader, asyncio.timeout(DEADLINE):
            snapshot = await reader.first()
        await client.call("POST", f"/api/v1/sms/{config_id}/rotate-webhook")
        await client.call("DELETE", f"/api/v1/sms/{config_id}")
        await client.call("POST", "/api/v1/inbound-rules", {"tenant_id": "acme", "name": "Sales"})
        await client.call("PATCH", "/api/v1/routing?tenant_id=acme", {"time_zone": "Europe/London"})
        events = await heard.until(7)

    assert [(event.kind, event.change) for event in events] == [
        ("tenant", "created"),
        ("trunk", "created"),
        ("sms_config", "created"),
        ("sms_config", "rotated"),
        ("sms_config", "deleted"),
        ("inbound_rule", "created"),
        ("tenant", "updated"),
    ]
    assert {event.tenant_id for event in events} == {"acme"}
    assert snapshot.version == events[2].version
    config = snapshot.config(config_id)
    assert config is not None
    assert {name: value.get_secret_value() for name, value in config.credentials.items()} == CREDENTIALS


async def test_changes_made_while_the_broker_is_away_are_announced_when_it_is_back(
    running, breakable_rabbitmq: BreakableBroker, breakable_vhost: str, database
):
    async with (
        RabbitBroker(breakable_vhost, name="test", topology=topology.base()) as broker,
        running(settings_for(breakable_vhost, database)) as client,
    ):
        await broker.ready()
        await broker.declare(EVERY_CHANGE)
        await client.until("/readyz", 200)
        await asyncio.sleep(4)  # a quorum queue younger than a second may not survive a kill
        await asyncio.to_thread(breakable_rabbitmq.kill)
        await client.seed()
        ready, _ = await client.call("GET", "/readyz")
        await asyncio.to_thread(breakable_rabbitmq.start)
        changes = await collected(broker, 3)

    assert ready == 200
    assert changes == [("tenant", "created"), ("trunk", "created"), ("sms_config", "created")]


EVERY_CHANGE = topology.Topology(
    queues=(topology.Queue("test.changes", "every change, also those nobody listens to"),),
    bindings=(topology.Binding(topology.SMS, "test.changes", topology.CONFIG_CHANGES),),
)


async def collected(broker: RabbitBroker, count: int) -> list[tuple[str, str]]:
    """The first `count` different changes in the queue that keeps every one."""
    changes: dict[str, tuple[str, str]] = {}
    enough = asyncio.Event()

    async def take(delivery: Delivery) -> None:
        event = decode(delivery.type or "", delivery.body)
        assert isinstance(event, ConfigChanged)
        changes[event.event_id] = (event.kind, event.change)
        if len(changes) >= count:
            enough.set()

    await broker.consume("test.changes", take, prefetch=10)
    async with asyncio.timeout(DEADLINE):
        await enough.wait()
    return list(changes.values())


async def test_while_mongodb_is_away_at_the_start_it_says_so_and_can_be_stopped(running, vhost, database):
    settings = settings_for(vhost, database._replace(url=NOWHERE))
    async with running(settings) as client:
        body = await client.until("/readyz", 503)
        live = await client.call("GET", "/healthz")
        refused = await client.call("GET", "/api/v1/tenants")

    assert "store" in body["checks"]
    assert body["checks"]["store"] != "ok"
    assert live[0] == 200
    assert (refused[0], refused[1]["code"]) == (503, "store_unavailable")


async def test_it_refuses_to_start_on_secrets_it_has_no_key_for(running, vhost, database):
    async with running(settings_for(vhost, database)) as client:
        await client.until("/readyz", 200)
        await client.seed()

    with pytest.raises(StoreUnusable, match=r"CONFIG_KEY_RING lacks \(k1\)"):
        await main(settings_for(vhost, database, key_ring=new_entry("k2")), asyncio.Event())


async def test_its_metrics_tell_how_many_records_a_key_still_seals(running, vhost, database, http):
    settings = settings_for(vhost, database, key_ring=f"{new_entry('k_new')},{new_entry('k_old')}")
    async with running(settings) as client:
        await client.until("/readyz", 200)
        await client.seed()
        async with http.get(
            f"{client.base}/internal/v1/snapshot/dispatcher", headers={"Authorization": f"Bearer {DISPATCHER}"}
        ):
            pass
        _, shown = await client.call("GET", "/metrics")

    assert 'smsgw_secret_key_records{key="k_new"} 1.0' in shown
    assert 'smsgw_secret_key_records{key="k_old"} 0.0' in shown


class TestProcess:
    """`python -m sms_config` as an operator starts it."""

    @pytest.fixture
    def environment(self, vhost: str, database: Database) -> dict[str, str]:
        given = {
            "AMQP_URL": vhost,
            "MONGO_URL": database.url,
            "MONGO_DATABASE": database.name,
            "PUBLIC_URL": PUBLIC,
            "BOOTSTRAP_API_KEY": BOOTSTRAP,
            "INGRESS_TOKEN": INGRESS,
            "DISPATCHER_TOKEN": DISPATCHER,
            "KEY_RING": new_entry("k1"),
            "PORT": str(free_port()),
            "LOG_FORMAT": "json",
        }
        return {**os.environ, **{f"CONFIG_{name}": value for name, value in given.items()}}

    async def start(self, environment: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
        command = (sys.executable, "-m", "sms_config", *arguments)
        return await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )

    async def end_of(self, process: asyncio.subprocess.Process) -> tuple[int | None, str]:
        async with asyncio.timeout(DEADLINE):
            output, _ = await process.communicate()
        return process.returncode, output.decode()

    async def seeded(self, http: aiohttp.ClientSession, environment: dict[str, str]) -> tuple[int | None, str]:
        """Start, seed, stop with SIGTERM."""
        process = await self.start(environment)
        client = Client(http, int(environment["CONFIG_PORT"]))
        await client.until("/readyz", 200)
        await client.seed()
        process.send_signal(signal.SIGTERM)
        return await self.end_of(process)

    async def test_it_serves_until_sigterm_and_logs_no_secret(self, http, environment):
        status, log = await self.seeded(http, environment)

        secrets = [*CREDENTIALS.values(), BOOTSTRAP, INGRESS, DISPATCHER, environment["CONFIG_KEY_RING"].split(":")[1]]
        assert status == 0
        assert "service.stopped" in log
        assert [secret for secret in secrets if secret in log] == []

    async def test_it_refuses_an_unknown_key_with_one_clear_line_and_status_1(self, http, environment):
        await self.seeded(http, environment)

        status, log = await self.end_of(await self.start({**environment, "CONFIG_KEY_RING": new_entry("k2")}))

        assert status == 1
        assert (
            "Secrets are stored under keys that CONFIG_KEY_RING lacks (k1). Put them back behind the first key." in log
        )
        assert "Traceback" not in log

    async def test_keys_are_rotated_with_two_commands(self, http, environment):
        await self.seeded(http, environment)
        status, entry = await self.end_of(await self.start(environment, "new-key", "k2"))
        both = {**environment, "CONFIG_KEY_RING": f"{entry.strip()},{environment['CONFIG_KEY_RING']}"}

        rewrapped = await self.end_of(await self.start(both, "rewrap"))
        again = await self.end_of(await self.start({**environment, "CONFIG_KEY_RING": entry.strip()}, "rewrap"))
        refused = await self.end_of(await self.start(environment, "rewrap"))

        assert status == 0
        assert rewrapped[0] == 0
        assert "1 of 1 configurations\n1 configurations sealed again with the key k2, 0 already were" in rewrapped[1]
        assert (again[0], "0 configurations sealed again" in again[1]) == (0, True)
        assert (refused[0], "CONFIG_KEY_RING lacks (k2)" in refused[1]) == (1, True)

    async def test_settings_that_cannot_be_end_it_with_status_2(self, environment):
        status, log = await self.end_of(await self.start({**environment, "CONFIG_KEY_RING": "k1:nonsense-key"}))

        assert status == 2
        assert "CONFIG_KEY_RING" in log
        assert "nonsense-key" not in log
