"""Any body can be delivered over the control API."""

import pytest

from tests.simulator.bandwidth.webhook_samples import SAMPLES, sample
from tests.simulator.conftest import ACCOUNT, APPLICATION


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.glob("*.json")))
async def test_any_body_can_be_delivered_as_it_is(api, receiver, name):
    body = sample(name)

    status, _ = await api.control(
        "POST",
        "/webhooks",
        {"account_id": ACCOUNT, "application_id": APPLICATION, "direction": "inbound", "body": body},
    )
    await receiver.events(1)

    assert (status, receiver.received[0].body) == (202, body)
