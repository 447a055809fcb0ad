"""Whether webhooks arrive and texts leave, and what trials find."""

import pytest

from tests.cli.doctor.conftest import Gateway

pytestmark = pytest.mark.loopback


@pytest.mark.parametrize(
    ("health", "part", "level"),
    [
        ("ok", "health", "ok"),
        ("never_seen", "health of acme/Main", "warn"),
        ("failing", "health of acme/Main", "fail"),
    ],
)
async def test_how_a_configuration_does_is_told(health, part, level):
    gateway = Gateway(health=[{"config_id": "c1", "health": health, "says": "So it is."}])

    found = await gateway.examined()

    assert found[part][0] == level
    assert (found[part][1] == "So it is.") is (health != "ok")


WELL = {"step": "answer", "ok": True, "code": None, "says": "It is taken."}
NOTED = {"step": "name", "ok": True, "code": "private_address", "says": "It is private."}
WRONG = {"step": "token", "ok": False, "code": "credentials_refused", "says": "It is refused."}


@pytest.mark.parametrize(
    ("credentials", "webhook", "found"),
    [
        ([WELL], [WELL], {"credentials": ("ok", "It is taken."), "webhook": ("ok", "It is taken.")}),
        ([WRONG], [NOTED, WELL], {"credentials": ("fail", "It is refused."), "webhook": ("warn", "It is private.")}),
        (429, [WELL], {"credentials": ("warn", "Not now."), "webhook": ("ok", "It is taken.")}),
        (403, 403, {}),
    ],
    ids=["well", "wrong", "too often", "not allowed"],
)
async def test_configurations_are_tried_on_request(credentials, webhook, found):
    gateway = Gateway(health=[], trials={"test-credentials": credentials, "test-webhook": webhook})

    told = await gateway.examined("--trials")

    assert {part.partition(" of ")[0]: told[part][:2] for part in told if part.endswith(" of acme/Main")} == found
    assert ("trials" in told) is (credentials == 403)


async def test_nothing_is_tried_unasked():
    found = await Gateway(health=[]).examined()

    assert not [part for part in found if part.startswith(("credentials of", "webhook of"))]
