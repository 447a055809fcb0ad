"""What a PBX may get wrong: each mistake has its answer, and the next text goes out as if nothing had been."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from tests.e2e.amqp import Message
from tests.e2e.customer import HANDSET, Customer

pytestmark = pytest.mark.e2e

LIMIT = 256 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def customer(new_customer) -> AsyncIterator[Customer]:
    async with new_customer("mistaken") as customer:
        yield customer


class Refusal(NamedTuple):
    """What differs from a proper request, and the status that answers it."""

    changes: dict[str, Any]
    code: str
    field: str | None
    status: str = "rejected"
    parked: bool = False
    """whether the body lies in sms.dead besides"""


ABSENT = object()
# The customer's first number, as a text and as a number.
OWN, OWN_AS_NUMBER = "OWN", "OWN_AS_NUMBER"
REFUSED = {
    "no recipient": Refusal({"to": ABSENT}, "invalid_request", "to", parked=True),
    "a recipient that is an object": Refusal({"to": {"number": HANDSET}}, "invalid_request", "to", parked=True),
    "no recipients in the list": Refusal({"to": []}, "invalid_request", "to", parked=True),
    "no tenant but that of the key": Refusal({"tenant_id": ABSENT}, "invalid_request", "tenant_id", parked=True),
    "a tenant that is no text": Refusal({"tenant_id": True}, "invalid_request", "tenant_id", parked=True),
    "neither extension nor sender": Refusal({"extension": ABSENT}, "invalid_request", "extension", parked=True),
    "a category nobody knows": Refusal({"category": "urgent"}, "invalid_request", "category", parked=True),
    "a time without its zone": Refusal(
        {"expires_at": "2099-01-01T00:00:00"}, "invalid_request", "expires_at", parked=True
    ),
    "nested metadata": Refusal({"metadata": {"a": {"b": 1}}}, "invalid_request", "metadata", parked=True),
    "metadata of more than 4 kB": Refusal({"metadata": {"a": "x" * 5000}}, "invalid_request", "metadata", parked=True),
    "a media URL that is none": Refusal({"media": ["ftp://x/y"]}, "invalid_media", "media.0.url", parked=True),
    "a media URL without a host": Refusal({"media": "https:///a.jpg"}, "invalid_media", "media.0.url", parked=True),
    "seconds that are no time": Refusal({"send_after": 5}, "invalid_request", "send_after", parked=True),
    "a recipient that writes under a name": Refusal({"to": "SUPPORT"}, "invalid_number", "to"),
    "nobody but the sender itself": Refusal({"to": OWN}, "to_own_number", "to"),
    "neither text nor media": Refusal({"text": ABSENT}, "no_content", "text"),
    "an empty text": Refusal({"text": ""}, "no_content", "text"),
    "a text that is too long": Refusal({"text": "x" * 2049}, "text_too_long", "text"),
    "a number with too few digits": Refusal({"to": "+1312"}, "invalid_number", "to"),
    "letters for a number": Refusal({"to": "call me maybe"}, "invalid_number", "to"),
    "eleven people in a group": Refusal(
        {"to": [f"+131255502{n:02d}" for n in range(11)], "group": True}, "too_many_recipients", "to"
    ),
    "a sender of somebody else's": Refusal({"from": "+12125550999"}, "sender_not_allowed", "from"),
    "a configuration that is not there": Refusal({"config_id": "nowhere"}, "unknown_config", "config_id"),
    "a text that has expired": Refusal({"expires_at": "2020-01-01T00:00:00Z"}, "expired", "expires_at", "expired"),
}


def request(customer: Customer, **changes: Any) -> dict[str, Any]:
    body = {
        "message_id": str(uuid.uuid4()),
        "tenant_id": customer.tenant,
        "extension": "101",
        "to": HANDSET,
        "text": "one of many mistakes",
        **changes,
    }
    written = json.dumps({name: value for name, value in body.items() if value is not ABSENT})
    own = customer.dids[0]
    return json.loads(written.replace(f'"{OWN}"', f'"{own}"').replace(f'"{OWN_AS_NUMBER}"', own.removeprefix("+")))  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", REFUSED)
async def test_a_request_that_cannot_be_sent_is_refused_with_a_code_a_field_and_a_sentence(customer, name):
    row = REFUSED[name]
    body = request(customer, **{"client_ref": "ticket 7", **row.changes})

    await customer.gateway.client.publish(body, f"sms.outbound.{customer.tenant}")

    event = await customer.final(body["message_id"])
    assert (event["status"], event["error"]["code"], event["error"].get("field")) == (row.status, row.code, row.field)
    assert event["reason"].endswith(".")
    assert event["client_ref"] == "ticket 7"
    assert customer.course(body["message_id"]) == [row.status]
    if row.parked:
        letter = await customer.gateway.dead.first(about(body["message_id"]), "the dead letter")
        assert letter.headers["x-code"] == row.code


TAKEN: dict[str, dict[str, Any]] = {
    "nothing in every optional field": dict.fromkeys(
        ("from", "media", "group", "config_id", "category", "send_after", "expires_at", "metadata", "client_ref"), ""
    ),
    "null in every optional field": dict.fromkeys(
        ("from", "media", "group", "config_id", "category", "send_after", "expires_at", "metadata", "client_ref")
    ),
    "PHP's empty map": {"metadata": []},
    "numbers for all that is made of digits": {"to": 13125550100, "extension": 101, "from": OWN_AS_NUMBER},
    "no extension but a sender": {"extension": ABSENT, "from": OWN},
    "Go's zero time": {"send_after": "0001-01-01T00:00:00Z", "expires_at": "0001-01-01T00:00:00Z"},
    "a group of it and the sender": {"to": [HANDSET, OWN], "group": True},
    "a list of it and the sender": {"to": [OWN, HANDSET], "from": OWN},
}


@pytest.mark.parametrize("name", TAKEN)
async def test_what_pbxs_are_known_to_write_is_sent_as_it_is_meant(customer, name):
    body = request(customer, **TAKEN[name])

    await customer.gateway.client.publish(body, f"sms.outbound.{customer.tenant}")

    event = await customer.final(body["message_id"])
    assert (event["status"], event["to"], event["from"]) == ("delivered", HANDSET, customer.dids[0])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
async def test_a_body_with_a_byte_order_mark_is_sent(customer, encoding):
    body = request(customer)

    await customer.gateway.client.publish(json.dumps(body).encode(encoding), f"sms.outbound.{customer.tenant}")

    assert (await customer.final(body["message_id"]))["status"] == "delivered"


@pytest.mark.parametrize("form", ["{%s}", "%s@pbx.example.com", "a b %s", "%s" + "x" * 65], ids=repr)
async def test_an_id_that_cannot_be_used_is_answered_with_itself(customer, form):
    body = request(customer, message_id=form % uuid.uuid4())

    await customer.gateway.client.publish(body, f"sms.outbound.{customer.tenant}")

    event = await customer.final(body["message_id"][:64])
    assert (event["status"], event["error"]["code"], event["error"]["field"]) == (
        "rejected",
        "invalid_request",
        "message_id",
    )


async def test_an_id_that_is_a_number_is_its_digits(customer):
    number = uuid.uuid4().int % 10**12

    await customer.gateway.client.publish(request(customer, message_id=number), f"sms.outbound.{customer.tenant}")

    assert (await customer.final(str(number)))["status"] == "delivered"


def about(message_id: str) -> Callable[[Message], bool]:
    return lambda m: message_id.encode() in m.body


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"Dear gateway, please send a text.", "not_json", id="no JSON"),
        pytest.param(b'{"text": "ol\xe9"}', "not_utf8", id="no UTF-8"),
        pytest.param(b"\x00\x01\x02", "not_json", id="binary"),
        pytest.param(b"", "not_json", id="nothing"),
        pytest.param(b"[]", "invalid_request", id="no object"),
        pytest.param(b"{}", "invalid_request", id="an empty object"),
        pytest.param(b"[" * 50_000, "not_json", id="very deep"),
        pytest.param(b'{"a": "' + b"x" * LIMIT + b'"}', "body_too_large", id="more than 256 KiB"),
    ],
)
async def test_what_names_no_message_is_parked_with_a_reason_and_told_by_its_amqp_id(customer, body, code):
    mark = uuid.uuid4().hex

    await customer.gateway.client.publish(body, f"sms.outbound.{customer.tenant}", message_id=mark)

    letter = await customer.gateway.dead.first(lambda m: m.message_id == mark, "the dead letter")
    queue = f"sms.outbound.{customer.tenant}"
    assert (letter.body, letter.headers["x-code"], letter.headers["x-source-queue"]) == (body, code, queue)
    assert letter.headers["x-reason"]
    told = await customer.final(mark)
    assert (told["status"], told["error"]["code"], told["tenant_id"]) == ("rejected", code, customer.tenant)


@pytest.mark.parametrize("kind", ["sms.outbound.v9", "sms.status.v1", "my.own.type"])
async def test_an_event_type_that_does_not_belong_here_is_parked_and_refused(customer, kind):
    body = request(customer)

    await customer.gateway.client.publish(body, f"sms.outbound.{customer.tenant}", type=kind)

    assert (await customer.final(body["message_id"]))["error"]["code"] == "unknown_type"
    letter = await customer.gateway.dead.first(about(body["message_id"]), "the dead letter")
    assert letter.headers["x-code"] == "unknown_type"


async def test_a_request_in_the_name_of_another_tenant_is_told_to_the_one_who_published_it(customer):
    body = request(customer, tenant_id="somebody-else")

    await customer.gateway.client.publish(body, f"sms.outbound.{customer.tenant}")

    assert (await customer.final(body["message_id"]))["error"]["code"] == "tenant_mismatch"


async def test_a_tenant_nobody_knows_is_told_to_the_default_pbx(customer):
    body = request(customer, tenant_id="nobody")

    async with customer.gateway.client.reading("pbx.main.status") as statuses:
        await customer.gateway.client.publish(body, "sms.outbound.nobody")

        event = (await statuses.first(about(body["message_id"]), "the refusal")).json
    assert (event["status"], event["error"]["code"]) == ("rejected", "unknown_tenant")


async def test_a_request_straight_to_the_queue_is_as_good(customer):
    body = request(customer)

    await customer.gateway.client.publish(body, "sms.outbound", exchange="")

    assert (await customer.final(body["message_id"]))["status"] == "delivered"


async def test_a_national_number_is_read_with_the_tenants_country(customer):
    body = request(customer, to="(312) 555-0100", extension=101)

    await customer.gateway.client.publish(body, f"sms.outbound.{customer.tenant}")

    assert (await customer.final(body["message_id"]))["to"] == HANDSET


async def test_a_hundred_mistakes_at_once_hold_up_nobody_and_none_is_lost(customer):
    gateway, marks = customer.gateway, {uuid.uuid4().hex for _ in range(100)}
    garbage = (
        gateway.client.publish(bytes([n]) * n, f"sms.outbound.{customer.tenant}", message_id=mark)
        for n, mark in enumerate(marks)
    )
    await asyncio.gather(*garbage)

    assert (await customer.final(await customer.send(HANDSET, "behind a hundred mistakes")))["status"] == "delivered"
    await gateway.dead.until(lambda messages: marks <= {m.message_id for m in messages}, "a hundred dead letters")
