"""What is answered beside the calls of the carrier and of the control API."""

import pytest

from tests.simulator.conftest import ACCOUNT
from tests.simulator.samples import sample


async def test_health_is_open_to_all(start):
    api = await start(control_token="let-me-in")

    assert (await api.call("GET", "/healthz", authorization=None))[2] == {"status": "ok"}


async def test_an_unknown_control_path_is_404(api):
    assert (await api.control("GET", "/nothing"))[0] == 404


@pytest.mark.parametrize("path", ["/messages/happy", "/message", "/../../nothing"])
async def test_an_unknown_path_is_answered_in_the_other_shape(start, path):
    api = await start(frozen=True)
    request, response = sample("wrong-path-404-other-shape")

    status, _, body = await api.call("POST", f"/api/v2/users/{ACCOUNT}{path}", json=request["body"])

    assert status == 404
    assert body.keys() == response["body"].keys()
    assert body["timestamp"] == response["body"]["timestamp"]
    assert body["path"] in (response["body"]["path"], f"/api/v2/users/{ACCOUNT}/message", "/api/v2/nothing")


async def test_a_wrong_method_is_405_and_names_the_allowed_ones(api):
    status, headers, body = await api.call("PATCH", f"/api/v2/users/{ACCOUNT}/messages")

    assert (status, body["type"], headers["Allow"]) == (405, "method-not-allowed", "GET,POST")


class Broken:
    def get(self, *_):
        raise RuntimeError("a fault in the simulator itself")


async def test_a_failure_of_the_simulator_itself_is_a_500_in_bandwidths_shape(api):
    api.simulator.media = Broken()

    status, _, body = await api.call("GET", f"/api/v2/users/{ACCOUNT}/media/a.png")

    assert (status, body["type"]) == (500, "internal-server-error")
