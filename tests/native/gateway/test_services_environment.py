"""What each service is told."""

from pathlib import Path

import pytest

from sms_native.gateway.environment import load
from sms_native.gateway.services import plan

pytestmark = pytest.mark.loopback

ROOT = Path(__file__).parents[3]


@pytest.fixture
def root(tmp_path):
    (tmp_path / ".env.example").write_text((ROOT / ".env.example").read_text())
    return tmp_path


def test_no_service_is_told_the_secrets_of_another(root):
    env = load(root, {})
    services = {service.name: service.environment for service in plan(env, "amqp://{}".format, "mongodb://m")}
    assert list(services) == ["config", "simulator", "ingress", "dispatcher"]
    key_ring, api_token = env["CONFIG_KEY_RING"], env["DISPATCHER_API_TOKEN"]
    assert [name for name, told in services.items() if key_ring in told.values()] == ["config"]
    assert [name for name, told in services.items() if api_token in told.values()] == ["config", "dispatcher"]
    assert services["ingress"]["INGRESS_CONFIG_TOKEN"] == services["config"]["CONFIG_INGRESS_TOKEN"]
    assert services["dispatcher"]["DISPATCHER_CONFIG_TOKEN"] == services["config"]["CONFIG_DISPATCHER_TOKEN"]
    urls = {name: services[name][f"{name.upper()}_AMQP_URL"] for name in ("config", "ingress", "dispatcher")}
    assert urls == {name: f"amqp://sms-{name}" for name in urls}
    assert "mongodb://m" not in services["ingress"].values()
