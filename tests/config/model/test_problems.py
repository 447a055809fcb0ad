"""What is wrong with a body is said in plain words, whatever stands in which field."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from sms_config.model.problems import invalid
from tests.config.schemas.test_bodies_optional_fields import LEAST

ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    5,
    1.5,
    10**9,
    2**70,
    1e300,
    float("inf"),
    "",
    "x",
    "5",
    "x" * 5000,
    "x\u200by",
    "\ud83d",
    "\u201cx\u201d",
    "2026-01-01",
    "2026-01-01T00:00:00",
    "2026-13-01T00:00:00Z",
    [],
    [None],
    ["x"],
    [0],
    [99],
    ["x"] * 2000,
    {},
    {"x": 1},
    [{}],
    [{"x": 1}],
)
# Words of pydantic and of Python, which mean nothing to who fills a form.
FOR_PROGRAMMERS = re.compile(
    r"Input|should|valid(?:ation)? |instance|NoneType|\bstr\b|\bint\b|\bdict\b|regex|\^|pattern '|datetime|\{"
)


def said(model, name, value):
    try:
        model.model_validate({**LEAST[model], name: value})
    except ValidationError as error:
        return [found.message for found in invalid(error).errors]
    return []


@pytest.mark.parametrize("model", LEAST, ids=lambda model: model.__name__)
def test_a_wrong_value_is_refused_in_plain_words(model):
    for name, field in model.model_fields.items():
        for value in ODD:
            for sentence in said(model, field.alias or name, value):
                assert not FOR_PROGRAMMERS.search(sentence), (name, value, sentence)
                assert "xxxxxxxx" not in sentence


@pytest.mark.parametrize(
    ("path", "body", "field", "sentence"),
    [
        ("api-keys", {"name": "K", "scopes": []}, "scopes", "needs at least one"),
        ("api-keys", {"name": "K", "scopes": "read"}, "scopes", "must be a list"),
        (
            "api-keys",
            {"name": "K", "scopes": ["read"], "expires_at": "2027-01-01T00:00:00"},
            "expires_at",
            "must be a time with its zone, such as 2026-01-31T12:00:00Z",
        ),
        ("inbound-rules", {"name": "I", "tenant_id": "acme", "priority": 0}, "priority", "must be 1 or more"),
        ("inbound-rules", {"name": "I", "tenant_id": "acme", "priority": 10**6}, "priority", "must be 100000 or less"),
        (
            "extensions",
            {"extension": "101", "tenant_id": "acme", "groups": [""]},
            "groups.0",
            "must have 1 to 64 characters",
        ),
    ],
)
@pytest.mark.loopback
async def test_the_sentence_stands_beside_its_field(api, acme, path, body, field, sentence):
    answer = await api.call("POST", f"/api/v1/{path}", body)

    assert (answer.status, answer.field_errors()) == (422, {field: sentence})
