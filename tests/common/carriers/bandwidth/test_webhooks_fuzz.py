"""Whatever the body holds, parsing gives events or says that it cannot; nothing else ever comes out."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sms_common.carriers.bandwidth import Bandwidth
from sms_common.errors import WebhookUnreadable

SAMPLES = [json.loads(path.read_text()) for path in (Path(__file__).parents[3] / "data" / "webhooks").glob("*.json")]
EVENTS = [event for sample in SAMPLES for event in (sample if isinstance(sample, list) else [sample])]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def spoilt_events(draw):
    """A sample event with some of its fields, or its message's, replaced or taken out."""
    event = json.loads(json.dumps(draw(st.sampled_from(EVENTS))))
    for part in (event, event.get("message", {})):
        for key in draw(st.lists(st.sampled_from(sorted(part) or [""]), max_size=3)):
            if draw(st.booleans()):
                part[key] = draw(VALUES)
            else:
                part.pop(key, None)
    return event


def check(body):
    try:
        parsed = Bandwidth().parse(body)
    except WebhookUnreadable:
        return
    assert parsed.events


@settings(max_examples=300, deadline=None)
@given(st.lists(spoilt_events() | VALUES, max_size=4))
def test_spoilt_events_are_read_or_refused(events):
    check(json.dumps(events).encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body):
    check(body)
