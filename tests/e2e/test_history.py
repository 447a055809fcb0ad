"""The control plane shows a tenant its messages, which the dispatcher keeps."""

import pytest

from tests.e2e.customer import HANDSET

pytestmark = pytest.mark.e2e


async def test_a_text_is_in_the_history_that_the_portal_reads(gateway, new_customer):
    async with new_customer("history") as customer, new_customer("stranger") as stranger:
        message_id = await customer.send(HANDSET, "Hello")
        await customer.final(message_id)

        page = await gateway.api("GET", f"/messages?tenant_id={customer.tenant}&number={HANDSET[2:]}&direction=OUT")
        one = await gateway.api("GET", f"/messages/{message_id}?tenant_id={customer.tenant}")
        other = await gateway.api("GET", f"/messages?tenant_id={stranger.tenant}&search={message_id}")

    assert [message["id"] for message in page["items"]] == [message_id]
    assert one["status"] == "delivered"
    assert one["content"] == "Hello"
    assert one["history"][0]["status"] == "accepted"
    assert other == {"count": 0, "items": []}
