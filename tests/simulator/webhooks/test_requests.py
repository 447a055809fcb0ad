"""Whether an event has a webhook."""

import asyncio

from carrier_simulator import InboundRequest
from tests.simulator.conftest import ACCOUNT, APPLICATION, HANDSET, OWN


async def test_an_application_without_urls_gets_nothing(start, receiver):
    api = await start(application={"inbound_url": None, "outbound_url": None})

    await api.send()
    api.simulator.receive(InboundRequest.model_validate({"from": HANDSET, "to": OWN, "text": "x"}))
    status, _ = await api.control(
        "POST", "/webhooks", {"account_id": ACCOUNT, "application_id": APPLICATION, "direction": "inbound", "body": 1}
    )
    await asyncio.sleep(0)

    assert (status, receiver.received, api.simulator.webhooks.pending) == (400, [], 0)
