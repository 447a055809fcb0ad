"""Bandwidth's own Python client against the simulator: it can send, and read the answers."""

import asyncio
from datetime import UTC, datetime

import bandwidth  # type: ignore[import-untyped] # the client has no types
import pytest
from bandwidth.exceptions import (  # type: ignore[import-untyped] # the client has no types
    ApiException,
    BadRequestException,
    ForbiddenException,
    UnauthorizedException,
)
from bandwidth.models import (  # type: ignore[import-untyped] # the client has no types
    CreateMultiChannelMessageResponse,
    InboundCallback,
    MessageRequest,
    MultiChannelMessageRequest,
    StatusCallback,
)

from tests.simulator.conftest import ACCOUNT, APPLICATION, HANDSET, OWN


class Elsewhere(bandwidth.ApiClient):  # type: ignore[misc] # the client has no types
    """The official client with the simulator in the place of Bandwidth's fixed hosts."""

    def param_serialize(self, *args, **options):
        return super().param_serialize(*args, **{**options, "_host": self.configuration.host})


@pytest.fixture
def client(api):
    configuration = bandwidth.Configuration(
        host=api.simulator.messaging_url,
        client_id="client",
        client_secret="client-secret",
        access_token_url=api.simulator.token_url,
        retries=0,
    )
    client = Elsewhere(configuration)
    yield client
    client.rest_client.pool_manager.clear()


def request(**fields) -> MessageRequest:
    body = {"applicationId": APPLICATION, "to": [HANDSET], "from": OWN, "text": "Hello World", **fields}
    return MessageRequest.from_dict(body)


async def test_it_gets_a_token_once_and_sends(api, client):
    messages = bandwidth.MessagesApi(client)

    first = await asyncio.to_thread(messages.create_message, ACCOUNT, request(tag="t", priority="high"))
    await asyncio.to_thread(messages.create_message, ACCOUNT, request())

    assert (first.tag, first.segment_count, first.direction, first.to) == ("t", 1, "out", [HANDSET])
    assert abs((first.time - datetime.now(UTC)).total_seconds()) < 5
    assert first.id == api.simulator.arrivals(tag="t")[0].id
    assert first.additional_properties == {}
    assert api.simulator.bandwidth.tokens.calls == 1


async def test_it_sends_a_group_with_media_and_expiration(api, client):
    message = request(
        to=[HANDSET, "+14045550122"], media=["https://media.example.net/a.png"], expiration="2099-01-01T00:00:00Z"
    )

    answer = await asyncio.to_thread(bandwidth.MessagesApi(client).create_message, ACCOUNT, message)

    assert (answer.media, answer.expiration) == (["https://media.example.net/a.png"], datetime(2099, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("account_id", "fields", "error"),
    [(ACCOUNT, {"to": ["+1invalid"]}, BadRequestException), ("nobody", {}, ForbiddenException)],
)
async def test_it_understands_the_errors(client, account_id, fields, error):
    messages = bandwidth.MessagesApi(client)

    with pytest.raises(error) as raised:
        await asyncio.to_thread(messages.create_message, account_id, request(**fields))

    assert raised.value.data.description
    if error is BadRequestException:
        assert raised.value.data.field_errors[0].field_name == "to"


async def test_it_understands_a_full_queue_and_a_stale_token(api, client):
    messages = bandwidth.MessagesApi(client)
    await api.control("POST", "/faults", {"kind": "queue_full"})

    with pytest.raises(ApiException) as full:
        await asyncio.to_thread(messages.create_message, ACCOUNT, request())
    api.simulator.bandwidth.tokens.revoke_all()
    with pytest.raises(UnauthorizedException):
        await asyncio.to_thread(messages.create_message, ACCOUNT, request())

    assert (full.value.status, full.value.data.type) == (429, "max-message-queue-size-exceeded")


async def test_it_lists_messages(api, client):
    messages = bandwidth.MessagesApi(client)
    sent = await asyncio.to_thread(messages.create_message, ACCOUNT, request())
    await asyncio.to_thread(messages.create_message, ACCOUNT, request(media=["https://media.example.net/a.png"]))
    await api.control("POST", "/inbound", {"from": HANDSET, "to": OWN, "text": "x"})
    await api.simulator.wait_for_attempts(2, kind="message-delivered")

    one = await asyncio.to_thread(messages.list_messages, ACCOUNT, message_id=sent.id)
    all_of_them = await asyncio.to_thread(messages.list_messages, ACCOUNT, carrier_name="other", limit=2)

    assert (one.total_count, one.messages[0].message_status, one.messages[0].error_code) == (1, "DELIVERED", 0)
    assert (all_of_them.total_count, len(all_of_them.messages)) == (3, 2)
    assert all_of_them.page_info.next_page_token


async def test_it_uploads_lists_fetches_and_deletes_media(client):
    media = bandwidth.MediaApi(client)
    put = {"_content_type": "image/png", "cache_control": "no-cache"}

    await asyncio.to_thread(media.upload_media, ACCOUNT, "a.png", b"content", **put)
    listed = await asyncio.to_thread(media.list_media, ACCOUNT)
    fetched = await asyncio.to_thread(media.get_media, ACCOUNT, "a.png")
    await asyncio.to_thread(media.delete_media, ACCOUNT, "a.png")

    assert [(item.media_name, item.content_length) for item in listed] == [("a.png", 7)]
    assert bytes(fetched) == b"content"
    assert await asyncio.to_thread(media.list_media, ACCOUNT) == []


async def test_it_sends_over_several_channels(api, client):
    body = {
        "to": HANDSET,
        "channelList": [{"from": OWN, "applicationId": APPLICATION, "channel": "SMS", "content": {"text": "x"}}],
        "tag": "t",
    }
    multichannel = bandwidth.MultiChannelApi(client)

    answer = await asyncio.to_thread(
        multichannel.create_multi_channel_message, ACCOUNT, MultiChannelMessageRequest.from_dict(body)
    )

    assert isinstance(answer, CreateMultiChannelMessageResponse)
    assert (answer.data.to, answer.data.tag) == ([HANDSET], "t")


async def test_its_models_read_every_status_webhook(api, receiver):
    await api.send(tag="t", media=["https://media.example.net/a.png"])
    await api.send(to="+14045554775")
    events = await receiver.events(5)

    read = [StatusCallback.from_dict(event) for event in events]

    assert {callback.type.value for callback in read} == {
        "message-sending",
        "message-sent",
        "message-delivered",
        "message-failed",
    }
    assert {callback.error_code for callback in read} == {None, 4775}
    assert all(not callback.additional_properties for callback in read)
    assert all(not callback.message.additional_properties for callback in read)


async def test_its_models_read_inbound_webhooks(api, receiver):
    request = {"from": HANDSET, "to": [OWN, "+13125550132"], "text": "x", "media": ["a.png"], "carrier_name": "AT&T"}
    await api.control("POST", "/inbound", request)
    [event] = await receiver.events(1)

    callback = InboundCallback.from_dict(event)

    assert (callback.to, callback.message.var_from, callback.carrier_name) == (OWN, HANDSET, "AT&T")
    assert len(callback.message.media) == 2
    assert callback.additional_properties == callback.message.additional_properties == {}


async def test_it_works_with_user_name_and_password_before_their_end(api):
    configuration = bandwidth.Configuration(
        host=api.simulator.messaging_url, username="user", password="user-password", retries=0
    )
    client = Elsewhere(configuration)

    answer = await asyncio.to_thread(bandwidth.MessagesApi(client).create_message, ACCOUNT, request())

    assert answer.id
    client.rest_client.pool_manager.clear()
