"""Routing in memory: topic patterns and kinds of exchanges, as in AMQP."""

from typing import Literal

import pytest

from sms_common.testing.routing import FakeRouting, matches
from sms_common.topology import Binding, Exchange, Queue, Topology


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.c", False),
        ("a.b", "a.b.c", False),
        ("a.b.c", "a.b", False),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*", "a.b.c", False),
        ("*", "", False),
        ("#", "", True),
        ("#", "a.b.c", True),
        ("a.#", "a", True),
        ("a.#", "a.b.c", True),
        ("a.#", "b", False),
        ("#.c", "a.b.c", True),
        ("a.#.c", "a.c", True),
        ("a.#.c", "a.b.b.c", True),
        ("a.#.c", "a.b", False),
        ("*.#", "a", True),
        ("*.#", "", False),
    ],
)
def test_topics_match_as_in_amqp(pattern: str, key: str, expected: bool):
    assert matches(pattern, key) is expected


@pytest.mark.parametrize(
    ("kind", "key", "expected"),
    [("direct", "k", ["q"]), ("direct", "other", []), ("fanout", "other", ["q"]), ("topic", "k", ["q"])],
)
def test_exchanges_route_by_their_kind(kind: Literal["direct", "fanout", "topic"], key: str, expected: list[str]):
    routing = FakeRouting()
    routing.add(
        Topology(
            exchanges=(Exchange("e", kind, "of this test"),),
            queues=(Queue("q", "of this test"),),
            bindings=(Binding("e", "q", "k"),),
        )
    )
    assert routing.route("e", key) == expected
