"""Every request that cannot be read is answered, with what can be read of it."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.broker import Delivery
from sms_common.errors import Code, UnreadableEvent
from sms_common.events import StatusEvent
from sms_common.messages import Status
from sms_dispatcher.requests import refusals
from tests.dispatcher.builders import HANDSET, NOW

CASES = Path(__file__).parents[2] / "data" / "cases"
MINIMAL = {"message_id": "m-1", "tenant_id": "acme", "extension": "101", "to": HANDSET, "text": "Hello"}


def case(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text())["input"]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        *[(body["message_id"], body["message_id"][:64]) for body in case("08-message-id-never-told")],
        ("", "pbx-1"),
        (None, "pbx-1"),
        (True, "true"),
        (1.5, "1.5"),
        (10**70, "1" + "0" * 63),
        (["a"], '["a"]'),
        ({"id": 1}, '{"id": 1}'),
        ("a\nb\u202e", "a\ufffdb\ufffd"),
        ("\U0001f389" * 80, "\U0001f389" * 63),
    ],
    ids=repr,
)
async def test_whatever_the_message_id_is_its_request_is_answered_with_it(rig, written, told):
    await rig.publish(json.dumps({**MINIMAL, "message_id": written}).encode())

    (event,) = rig.statuses()
    assert (event.message_id, event.status, event.tenant_id) == (told, Status.REJECTED, "acme")
    assert (event.error.code, event.error.field) == ("invalid_request", "message_id")
    assert event.reason.startswith("message_id ")
    (parked,) = rig.broker.waiting("sms.dead")
    assert json.loads(parked.body)["message_id"] == written
    assert len((rig.broker.waiting("pbx.main.status")[0].correlation_id or "").encode()) <= 255


async def test_a_cancel_with_an_unusable_id_is_answered_too(rig):
    await rig.publish({"message_id": "{m-1}", "tenant_id": "acme"}, key="sms.outbound.acme.cancel")

    assert [(event.message_id, event.error.code) for event in rig.statuses()] == [("{m-1}", "invalid_request")]


@pytest.mark.parametrize("tenant", ["", "  ", None, 7.5, ["acme"]])
async def test_who_published_under_its_own_key_is_answered_whatever_the_tenant_in_the_body(rig, tenant):
    await rig.publish({**MINIMAL, "tenant_id": tenant})

    assert [(event.tenant_id, event.error.field) for event in rig.statuses()] == [("acme", "tenant_id")]


async def test_a_refused_request_repeats_its_numbers_as_they_were_written(rig):
    await rig.publish({**MINIMAL, "to": [13125550100, "x"], "from": 12025550143, "group": "perhaps"})

    (event,) = rig.statuses()
    assert (event.to, event.sender) == (("13125550100", "x"), "12025550143")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
ECHOED = ("message_id", "tenant_id", "to", "from", "extension", "conversation_id", "client_ref", "metadata")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(ECHOED, ANYTHING)), st.none() | st.just("acme"))
def test_whatever_a_request_holds_its_refusal_can_be_told(partial, key_tenant):
    error = UnreadableEvent(Code.INVALID_REQUEST, "It is wrong.", partial=partial)
    delivery = Delivery("sms.outbound.acme", "sms.outbound.acme", orjson.dumps("body"))

    event = refusals.unreadable(error, delivery, key_tenant, NOW)

    assert event is not None or key_tenant is None
    if event is not None:
        assert StatusEvent.model_validate_json(event.encode()) == event
        assert len(event.message_id.encode()) <= 255
        assert event.message_id.isprintable()
