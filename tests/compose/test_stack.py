import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Callable

import pytest

from tests.compose.gateway import HANDSET, Gateway, Pbx
from tests.compose.stack import DISPATCHERS, Stack, docker

pytestmark = [pytest.mark.compose]

SERVICES = ("ingress", "dispatcher", "config", "simulator")
TEXTS_OUT, TEXTS_IN = 300, 50
IDLE_MIB = 120
# Slow enough to last longer than the restart of any container, in texts a second.
PACE = 20


def test_every_service_idles_within_its_memory(stack, figures):
    used = {service: _mebibytes(stack, service) for service in (*SERVICES, "rabbitmq", "mongo")}
    figures.append("idle " + ", ".join(f"{service} {mebibytes:.0f} MiB" for service, mebibytes in used.items()))
    assert [service for service in SERVICES if used[service] >= IDLE_MIB] == []


def _mebibytes(stack: Stack, service: str) -> float:
    (container,) = stack.containers(service)
    used = docker("stats", "--no-stream", "--format", "{{.MemUsage}}", container.id).split("/")[0].strip()
    units = {"GiB": 1024.0, "MiB": 1.0, "KiB": 1 / 1024, "kiB": 1 / 1024}
    return float(used[:-3]) * units[used[-3:]]


def test_no_container_is_root_or_can_become_it_or_write_its_image(stack):
    for container in stack.containers():
        details = container.details
        assert docker("inspect", "--format", "{{.Config.User}}", container.id).strip() not in {"", "root", "0"}, details
        host = json.loads(docker("inspect", "--format", "{{json .HostConfig}}", container.id))
        assert host["ReadonlyRootfs"], container.service
        assert host["CapDrop"] == ["ALL"], container.service
        assert host["SecurityOpt"] == ["no-new-privileges:true"], container.service
        assert host["Memory"] > 0, container.service


async def test_a_text_goes_out_and_its_receipt_comes_back(gateway: Gateway):
    async with gateway.pbx() as pbx:
        message_id = await pbx.send(gateway.tenant, HANDSET, "Hello from the PBX")
        await pbx.until_final([message_id])
    course = pbx.course(message_id)
    assert course[0] == "accepted"
    assert course[-1] == "delivered"
    assert "submitted" in course
    assert (await gateway.record(message_id))["status"] == "delivered"


async def test_a_text_from_a_handset_reaches_the_queue_of_the_pbx(gateway: Gateway):
    text = f"Hello from a handset {uuid.uuid4()}"
    async with gateway.pbx() as pbx:
        carrier_id = await gateway.world.text_in(gateway.did, text)
        await pbx.until(lambda pbx: any(event.provider_msg_id == carrier_id for event in pbx.inbound.values()))
    (event,) = [event for event in pbx.inbound.values() if event.content == text]
    assert (event.tenant_id, event.sender, event.did) == (gateway.tenant, HANDSET, gateway.did)


async def test_a_pbx_with_its_own_user_sends_a_text_and_is_told(gateway: Gateway):
    async with gateway.pbx_with_its_own_user() as pbx:
        message_id = await pbx.send(gateway.tenant, HANDSET, "Hello from a PBX of its own")
        await pbx.until_final([message_id])
    assert pbx.final(message_id) == ["delivered"]


def test_no_service_logs_in_to_rabbitmq_as_its_administrator(stack: Stack):
    (rabbitmq,) = stack.containers("rabbitmq")
    listed = docker("exec", rabbitmq.id, "rabbitmqctl", "--silent", "list_connections", "user").split()
    assert set(listed) == {"sms-ingress", "sms-dispatcher", "sms-config"}


async def test_dispatchers_are_scaled_to_three_that_all_work(gateway: Gateway):
    await asyncio.to_thread(gateway.stack.up, "--scale", f"dispatcher={DISPATCHERS}")
    assert len(gateway.stack.containers("dispatcher")) == DISPATCHERS
    assert len(set(gateway.stack.dispatcher_ports())) == DISPATCHERS
    assert gateway.stack.consumers() >= Counter({"sms.outbound": 1, "sms.carrier": DISPATCHERS})


def _restart(service: str) -> Callable[[Stack], None]:
    """The service is told to end, and started again."""

    def disturb(stack: Stack) -> None:
        stack.compose("restart", service)
        stack.wait_ready()

    return disturb


def _kill(service: str) -> Callable[[Stack], None]:
    """The service is ended as a power cut would, and started again."""

    def disturb(stack: Stack) -> None:
        for container in stack.containers(service):
            docker("kill", container.id)
            docker("start", container.id)
        stack.wait_ready()

    return disturb


# While a broker's container is away the engine accepts its connections and cuts them. aiormq then leaves a coroutine of
# its own that it never awaits.
@pytest.mark.filterwarnings("ignore:coroutine 'Connection.close' was never awaited:RuntimeWarning")
@pytest.mark.parametrize(
    "disturb",
    [
        pytest.param(_restart("rabbitmq"), id="RabbitMQ restarted"),
        pytest.param(_kill("rabbitmq"), id="RabbitMQ killed"),
        pytest.param(_restart("mongo"), id="MongoDB restarted"),
        pytest.param(_restart("dispatcher"), id="every dispatcher restarted"),
        pytest.param(_restart("ingress"), id="ingress restarted"),
    ],
)
async def test_under_load_nothing_is_lost_and_nothing_sent_twice(gateway: Gateway, disturb: Callable[[Stack], None]):
    run = str(uuid.uuid4())
    async with gateway.pbx() as pbx:
        begun = asyncio.Event()
        sending = asyncio.create_task(_send_many(pbx, gateway.tenant, run, begun))
        receiving = asyncio.create_task(_receive_many(gateway, run))
        await begun.wait()
        await asyncio.to_thread(disturb, gateway.stack)
        sent, received = await sending, await receiving
        await pbx.until_final(sent, 180)
        await pbx.until(lambda pbx: received <= {event.provider_msg_id for event in pbx.inbound.values()}, 180)
    assert {tuple(pbx.final(message_id)) for message_id in sent} == {("delivered",)}
    assert await gateway.world.arrivals(run) == {f"{run} {number}": 1 for number in range(TEXTS_OUT)}
    told = [event.provider_msg_id for event in pbx.inbound.values() if event.content.startswith(run)]
    assert sorted(told) == sorted(received)


async def _send_many(pbx: Pbx, tenant: str, run: str, begun: asyncio.Event) -> list[str]:
    """Texts at a steady pace, so that what happens meanwhile strikes in the middle of them."""
    sent = []
    for number in range(TEXTS_OUT):
        sent.append(await pbx.send(tenant, HANDSET, f"{run} {number}"))
        if number == TEXTS_OUT // 10:
            begun.set()
        await asyncio.sleep(1 / PACE)
    return sent


async def _receive_many(gateway: Gateway, run: str) -> set[str]:
    received = set()
    for number in range(TEXTS_IN):
        received.add(await gateway.world.text_in(gateway.did, f"{run} {number}"))
        await asyncio.sleep(TEXTS_OUT / TEXTS_IN / PACE)
    return received


async def test_what_was_configured_stored_and_queued_outlives_down_and_up(gateway: Gateway, figures):
    stack, waiting_in, waiting_out = gateway.stack, f"waits {uuid.uuid4()}", f"waits {uuid.uuid4()}"
    async with gateway.pbx() as pbx:
        known = await pbx.send(gateway.tenant, HANDSET, "sent before")
        await pbx.until_final([known])
    configured = await gateway.configured()
    carrier_id = await gateway.world.text_in(gateway.did, waiting_in)
    await gateway.world.until_webhook_taken(carrier_id)
    await asyncio.to_thread(stack.compose, "stop", "dispatcher")
    async with gateway.pbx(listens=False) as pbx:
        message_id = await pbx.send(gateway.tenant, HANDSET, waiting_out)

    await asyncio.to_thread(stack.compose, "stop")
    assert {c.service: c.exit_code for c in stack.containers()} == dict.fromkeys(
        (*SERVICES, "rabbitmq", "mongo", "mongo-init", "rabbitmq-init"), 0
    )
    await asyncio.to_thread(stack.compose, "down")
    assert stack.containers() == []
    figures.append(f"ready {await asyncio.to_thread(stack.up):.0f} s after the second up")

    assert await gateway.configured() == configured
    await gateway.world.exist()
    async with gateway.pbx() as pbx:
        # The dispatcher was refused while the simulator knew no account, and asks again after a minute.
        await pbx.until_final([message_id], 180)
        await pbx.until(lambda pbx: any(event.provider_msg_id == carrier_id for event in pbx.inbound.values()))
    assert pbx.final(message_id) == ["delivered"]
    assert await gateway.world.arrivals(waiting_out) == {waiting_out: 1}
    assert (await gateway.record(known))["status"] == "delivered"
