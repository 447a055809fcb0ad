"""What the doctor finds at the services."""

import pytest

from tests.cli.doctor.conftest import Gateway, Health

pytestmark = pytest.mark.loopback


@pytest.mark.parametrize(
    ("service", "health", "part", "level", "said"),
    [
        pytest.param(
            "dispatcher",
            Health(503, {"store": "MongoDB is away."}),
            "dispatcher store",
            "fail",
            "MongoDB is away.",
            id="a database away",
        ),
        pytest.param("ingress", Health(500, {}), "ingress", "fail", "answers 500", id="something else there"),
        pytest.param("dispatcher", Health(checks={}), "dispatcher", "fail", "not as a service", id="no checks"),
        pytest.param(
            "dispatcher", Health(snapshot_age=500), "dispatcher snapshot", "fail", "500 s old", id="an old snapshot"
        ),
        pytest.param(
            "ingress", Health(snapshot_age=float("inf")), "ingress snapshot", "fail", "never had", id="no snapshot"
        ),
        pytest.param(
            "config", Health(ahead=20, snapshot_age=None), "config clock", "warn", "20 s ahead", id="a clock ahead"
        ),
        pytest.param("ingress", Health(ahead=-300), "ingress clock", "fail", "behind", id="a clock far behind"),
    ],
)
async def test_a_service_that_is_ill(gateway: Gateway, service: str, health: Health, part: str, level: str, said: str):
    setattr(gateway, service, health)
    found = await gateway.examined()
    assert found[part][0] == level
    assert said in found[part][1]
    assert found[part][2] != ""
    assert gateway.ended.status == (1 if level == "fail" else 0)


async def test_a_service_that_is_not_there(gateway: Gateway):
    gateway.env["SMSGW_INGRESS_URL"] = "http://127.0.0.1:1"
    assert (await gateway.examined())["ingress"][:2] == (
        "fail",
        "cannot be reached at http://127.0.0.1:1 (ClientConnectorError)",
    )
