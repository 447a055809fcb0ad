"""Which user of RabbitMQ may do what, and that no right reaches further than its words."""

import re

import pytest

from sms_common import topology
from sms_common.broker_rights import (
    CONFIG,
    DISPATCHER,
    INGRESS,
    TOOLS,
    Rights,
    markdown,
    pbx_passwords,
    pbx_user,
    rights_of,
)

ALL = (INGRESS, DISPATCHER, CONFIG, TOOLS, pbx_user("main"))


def patterns(rights: Rights) -> list[str]:
    topics = [] if rights.topics is None else [rights.topics.write, rights.topics.read]
    return [rights.configure, rights.write, rights.read, *topics]


@pytest.mark.parametrize("user", ALL)
def test_every_pattern_is_anchored_since_rabbitmq_searches_anywhere(user):
    assert all(pattern.startswith("^") and re.compile(pattern) for pattern in patterns(rights_of(user)))


@pytest.mark.parametrize(
    ("user", "may", "name", "allowed"),
    [
        (INGRESS, "write", topology.SMS, True),
        (INGRESS, "write", topology.DEAD, True),
        (INGRESS, "write", "amq.default", False),
        (INGRESS, "read", topology.OUTBOUND, False),
        (INGRESS, "configure", topology.SMS, False),
        (DISPATCHER, "configure", topology.lane_queue("c1"), True),
        (DISPATCHER, "read", "pbx.main.requests", True),
        (DISPATCHER, "configure", "somebody.elses", False),
        (CONFIG, "read", topology.UNROUTED, True),
        (CONFIG, "read", topology.OUTBOUND, False),
        (TOOLS, "read", topology.DEAD, False),
        (pbx_user("main"), "read", topology.pbx_status_queue("main"), True),
        (pbx_user("main"), "read", topology.pbx_status_queue("main2"), False),
        (pbx_user("main"), "write", topology.pbx_requests_exchange("main"), True),
        (pbx_user("main"), "write", topology.SMS, False),
        (pbx_user("main"), "configure", "anything", False),
    ],
)
def test_a_user_may_do_what_it_is_for_and_nothing_else(user, may, name, allowed):
    assert (re.search(getattr(rights_of(user), may), name) is not None) is allowed


@pytest.mark.parametrize("user", ["", "guest", "pbx-", "pbx-a b", "sms-"])
def test_nobody_else_has_rights(user):
    with pytest.raises(ValueError, match="is no user of the gateway"):
        rights_of(user)


@pytest.mark.parametrize(
    ("text", "passwords"),
    [
        ("", {}),
        ("main:four", {"pbx-main": "four"}),
        (" main:four , east:with:colons ,", {"pbx-main": "four", "pbx-east": "with:colons"}),
    ],
)
def test_the_passwords_of_pbxs_are_read_by_user(text, passwords):
    assert pbx_passwords(text) == passwords


@pytest.mark.parametrize(
    "text", ["main:four,canary", "main:four,:canary", "main:four,ea st:canary", "main:four,canary:"]
)
def test_a_wrong_entry_is_named_by_its_place_and_not_repeated(text):
    with pytest.raises(ValueError, match="entry 2 is not a PBX's id, a colon and its password") as refused:
        pbx_passwords(text)

    assert "canary" not in str(refused.value)


def test_the_table_has_a_line_for_every_user():
    assert [line.split("`")[1] for line in markdown().splitlines()[2:]] == [
        pbx_user("main"),
        INGRESS,
        DISPATCHER,
        CONFIG,
        TOOLS,
    ]
