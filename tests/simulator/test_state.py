"""What a simulator knows of itself."""

import pytest

from carrier_simulator import Simulator, SimulatorSettings


@pytest.mark.parametrize(
    ("host", "public_url", "url", "public"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:8090", "http://127.0.0.1:8090"),
        ("0.0.0.0", "http://simulator:8090/", "http://127.0.0.1:8090", "http://simulator:8090"),
        ("::1", None, "http://[::1]:8090", "http://[::1]:8090"),
    ],
)
def test_it_knows_its_own_address(host, public_url, url, public):
    simulator = Simulator(SimulatorSettings(host=host, public_url=public_url))

    assert (simulator.url, simulator.public_url) == (url, public)
    assert simulator.messaging_url == f"{url}/api/v2"
