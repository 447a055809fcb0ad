"""What cannot be read is refused in plain words."""

from typing import Any

import pytest

from tests.common.input.requests import refused, written


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"text": True}, "text must be text."),
        ({"group": "maybe"}, "group must be true or false."),
        ({"category": "spam"}, "category must be 'conversational', 'transactional', 'marketing' or 'otp'."),
        ({"client_ref": "x" * 257}, "client_ref is too long; 256 characters are allowed."),
        ({"to": []}, "to is empty."),
        ({"to": {"a": 1}}, "to must be a number or a list of numbers."),
        ({"to": -3125550100}, "to.0 must not be a negative number."),
        ({"message_id": "{7d1e}"}, "message_id must be 1 to 64 letters, digits and _ . : - only."),
        ({"tenant_id": "a b"}, "tenant_id must be 1 to 64 letters, digits, _ and - only."),
        ({"metadata": ["a"]}, "metadata must be an object of names and values."),
        ({"metadata": {"a": {}}}, "metadata must be a flat object: names with text, numbers, true, false or null."),
        ({"metadata": {"a": 2**70}}, "metadata holds a whole number of more than 64 bits."),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(changes: dict[str, Any], sentence: str):
    assert refused(written(**changes)).reason == sentence
