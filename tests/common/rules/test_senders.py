"""As whom an extension's text leaves."""

import pytest

from sms_common.errors import Code
from sms_common.rules import (
    Extension,
    Permission,
    SenderQuery,
    SenderRefused,
    choose_sender,
)
from sms_common.rules.senders import CallerId

MINE, SECOND, FOREIGN = "+12025550143", "+12025550144", "+19998887777"
AGENT = Extension(extension="105", permission=Permission.ALLOW, caller_ids=(CallerId(number=SECOND, trunk_id="t"),))


def sender(**changes):
    values = {"owned": {MINE, SECOND}.__contains__, "trunk_id": "t", "default_did": MINE}
    return choose_sender(SenderQuery(**{**values, **changes}))[0]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({}, MINE, id="the trunk's default number"),
        pytest.param({"sender_id": "ACME"}, "ACME", id="the sender id of an extension nobody configured"),
        pytest.param({"extension": AGENT, "sender_id": "ACME"}, SECOND, id="its own caller id with ALLOW"),
        pytest.param(
            {
                "extension": AGENT.model_copy(update={"permission": Permission.ALLOW_WITH_SENDER_ID}),
                "sender_id": "ACME",
            },
            "ACME",
            id="the sender id with ALLOW_WITH_SENDER_ID",
        ),
        pytest.param({"conversation_did": SECOND, "sender_id": "ACME"}, SECOND, id="the number of the conversation"),
        pytest.param({"conversation_did": FOREIGN, "sender_id": "ACME"}, "ACME", id="not a number that was lost"),
        pytest.param({"wanted": SECOND, "conversation_did": MINE}, SECOND, id="the wanted one before all"),
        pytest.param({"route_caller_id": SECOND}, SECOND, id="the route's before the default"),
        pytest.param({"route_caller_id": FOREIGN}, MINE, id="not a caller id that was lost"),
        pytest.param({"wanted": "ACME", "sender_id": "ACME"}, "ACME", id="the sender id by name"),
    ],
)
def test_the_sender_is_chosen_in_portsips_order(query, expected):
    assert sender(**query) == expected


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param(
            {"extension": Extension(extension="1", permission=Permission.DISABLE)},
            Code.SENDER_NOT_ALLOWED,
            id="disabled",
        ),
        pytest.param({"wanted": FOREIGN}, Code.SENDER_NOT_ALLOWED, id="a foreign number"),
        pytest.param({"wanted": MINE, "extension": AGENT}, Code.SENDER_NOT_ALLOWED, id="not in the extension's list"),
        pytest.param(
            {"wanted": "ACME", "sender_id": "ACME", "extension": AGENT},
            Code.SENDER_NOT_ALLOWED,
            id="sender id with ALLOW",
        ),
        pytest.param({"default_did": None}, Code.NO_SENDER, id="nothing at all"),
    ],
)
def test_a_sender_that_may_not_be_is_refused(query, code):
    with pytest.raises(SenderRefused) as caught:
        sender(**query)

    assert caught.value.code is code
