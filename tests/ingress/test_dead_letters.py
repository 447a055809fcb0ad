"""The dead letter of a webhook: its body as it came, why it is kept, and an id that a repeat has too."""

import pytest

from sms_common.broker import Outgoing
from sms_common.topology import DEAD
from sms_ingress.dead_letters import not_handled, unreadable
from tests.ingress.carrier_says import ENDPOINT

BODY = b'[{"type":"news"}]'


def test_it_keeps_the_body_and_says_whose_it_is_and_why():
    letter = unreadable(BODY, ENDPOINT, ["Element 1: it is not an object."], ["tfv", "news", "tfv"])

    assert (letter.exchange, letter.body, letter.type) == (DEAD, BODY, "webhook")
    assert {name: letter.headers[name] for name in ("x-carrier", "x-config-id", "x-tenant-id", "x-kind")} == {
        "x-carrier": "fake",
        "x-config-id": "c1",
        "x-tenant-id": "t1",
        "x-kind": "tfv, news",
    }
    assert (letter.headers["x-code"], letter.headers["x-reason"]) == (
        "webhook_unreadable",
        "Element 1: it is not an object.",
    )
    assert (letter.headers["x-source-queue"], letter.headers["x-routing-key"]) == ("webhooks", "sms.carrier.fake.c1")


def test_of_several_reasons_the_first_is_told_and_how_many_more_there_are():
    letter = unreadable(BODY, ENDPOINT, ["First.", "Second.", "Third."], [])

    assert letter.headers["x-reason"] == "First. And 2 more."
    assert "x-kind" not in letter.headers


def test_long_reasons_and_kinds_are_cut():
    letter = unreadable(BODY, ENDPOINT, ["x" * 10_000], [f"kind-{number}" for number in range(1_000)])

    assert len(str(letter.headers["x-reason"])) <= 500
    assert len(str(letter.headers["x-kind"])) == 500


def test_what_nothing_handles_is_kept_with_its_code():
    letter = not_handled(BODY, ENDPOINT, ["news"])

    assert (letter.headers["x-code"], letter.headers["x-kind"]) == ("webhook_not_handled", "news")


AGAIN = unreadable(BODY, ENDPOINT, ["Not understood."], [])


@pytest.mark.parametrize(
    ("letter", "same"),
    [
        pytest.param(not_handled(BODY, ENDPOINT, ["news"]), True, id="the same body"),
        pytest.param(unreadable(BODY + b" ", ENDPOINT, ["Not understood."], []), False, id="another body"),
        pytest.param(
            unreadable(BODY, ENDPOINT.model_copy(update={"config_id": "c2"}), ["Not understood."], []),
            False,
            id="another configuration",
        ),
    ],
)
def test_its_id_follows_from_what_came_and_where(letter: Outgoing, same: bool):  # what is expected
    assert (letter.message_id == AGAIN.message_id) is same
