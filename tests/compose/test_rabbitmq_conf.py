"""What deploy/rabbitmq says fits what the gateway declares. These need no Docker engine."""

import re

import pytest

from sms_common import topology
from tests.compose.stack import REPOSITORY


def settings() -> dict[str, str]:
    lines = (REPOSITORY / "deploy" / "rabbitmq" / "rabbitmq.conf").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line.strip() and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


@pytest.mark.parametrize(
    ("queue", "bounded"),
    [
        (topology.OUTBOUND, True),
        (topology.outbound_queue("demo"), True),
        (topology.outbound_queue("a-b_2"), True),
        (topology.CARRIER, True),
        (topology.DEAD, False),
        (topology.lane_queue("x"), False),
        (topology.pbx_inbound_queue("main"), False),
    ],
)
def test_every_queue_that_the_outside_fills_is_bounded_and_no_other(queue, bounded):
    pattern = settings()["default_policies.operator.intake.queue_pattern"]
    assert bool(re.search(pattern, queue)) is bounded


def test_the_write_ahead_log_leaves_most_of_the_memory_to_the_rest():
    given = settings()
    assert given["vm_memory_high_watermark.absolute"] == "1GB"
    assert 4 * int(given["raft.wal_max_size_bytes"]) <= 1_000_000_000


def test_the_command_for_running_installations_sets_the_same_bound():
    pattern = settings()["default_policies.operator.intake.queue_pattern"]
    length = settings()["default_policies.operator.intake.max_length"]
    command = f"set_operator_policy intake '{pattern}' '{{\"max-length\":{length},"
    assert command in (REPOSITORY / "deploy" / "README.md").read_text()
