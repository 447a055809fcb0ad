"""Empty means not given, in every optional field."""

import json
from typing import Any

import pytest
from pydantic import BaseModel

from sms_common.errors import Code
from sms_common.events import CancelRequest, Event, OutboundMedia, OutboundRequest, decode
from tests.common.input.requests import SMALLEST, asked, case, refused, written

FROM_A_PBX: tuple[type[Event], ...] = (OutboundRequest, CancelRequest)


def optional(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items() if not field.is_required()]


@pytest.mark.parametrize("empty", [None, "", [], {}], ids=json.dumps)
@pytest.mark.parametrize(
    ("event", "field"), [(event, name) for event in FROM_A_PBX for name in optional(event)], ids=str
)
def test_whatever_is_empty_is_not_given_in_every_optional_field(event: type[Event], field: str, empty: object):
    known = {"from": "+12025550143", **SMALLEST} if event is OutboundRequest else SMALLEST
    without = {name: value for name, value in known.items() if name != field}

    assert decode(event.TYPE, json.dumps({**known, field: empty}).encode()) == decode(
        event.TYPE, json.dumps(without).encode()
    )


@pytest.mark.parametrize("empty", [None, "", [], {}], ids=json.dumps)
@pytest.mark.parametrize("field", optional(OutboundMedia))
def test_whatever_is_empty_is_not_given_in_a_media_file(field: str, empty: object):
    url = "https://a.example/1.png"

    assert asked(written(media=[{"url": url, field: empty}])) == asked(written(media=[url]))


@pytest.mark.parametrize("field", [name for name in optional(OutboundRequest) if name not in OutboundRequest.VERBATIM])
def test_blanks_are_not_given_either_but_where_they_are_passed_on(field: str):
    assert asked(written(**{"from": "+12025550143", field: " \u200b"})) == asked(
        written(**{"from": "+12025550143", field: None})
    )


@pytest.mark.parametrize("body", [*case("05")["input"], case("10")["input"][0]], ids=json.dumps)
def test_the_empty_fields_that_pbxs_were_seen_to_send_are_taken(body: dict[str, Any]):
    assert asked(json.dumps({**body, "message_id": "m1"}).encode()) == asked(written())


@pytest.mark.parametrize("field", ["message_id", "tenant_id", "to"])
def test_what_must_be_given_is_missing_when_it_is_null(field: str):
    error = refused(written(**{field: None}))

    assert (error.code, error.field, error.reason) == (Code.INVALID_REQUEST, field, f"{field} is missing.")


def test_the_extension_may_be_left_out_when_the_sender_is_named():
    assert asked(written(extension=None, **{"from": "+12025550143"})).extension is None
    assert refused(written(extension=None)).field == "extension"


@pytest.mark.parametrize("former", [{"text": ""}, {"conversation_id": "", "client_ref": ""}], ids=json.dumps)
def test_a_request_that_an_empty_text_made_another_one_before_is_known_again(former: dict[str, Any]):
    media = {"text": None, "media": ["https://a.example/1.png"]}
    request = asked(written(**media))
    as_before = request.model_copy(update=former)

    assert as_before.fingerprint() != request.fingerprint()
    assert as_before.fingerprint() in request.former_fingerprints()
    assert asked(written(text="other")).fingerprint() not in request.former_fingerprints()
