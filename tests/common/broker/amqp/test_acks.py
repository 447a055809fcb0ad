"""Whatever order deliveries are answered in, the broker hears of each exactly what was said, in few frames."""

import pytest
from aiormq import spec
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame

from sms_common.broker.amqp.acks import AckBatch

CHANNEL = 3


def frames(answers: AckBatch) -> list[tuple[str, int, bool]]:
    """What the frames say, as the AMQP library reads them: the method, its tag, whether it means all up to there."""
    said, rest = [], answers.frames()
    while rest:
        size, channel, method = frame.unmarshal(rest)
        assert channel == CHANNEL
        assert isinstance(method, spec.Basic.Ack | spec.Basic.Nack)
        assert isinstance(method, spec.Basic.Ack) or method.requeue
        said.append((type(method).__name__, method.delivery_tag, method.multiple))
        rest = rest[size:]
    return said


def delivered(*tags: int) -> AckBatch:
    answers = AckBatch(CHANNEL)
    for tag in tags:
        answers.delivered(tag)
    return answers


@pytest.mark.parametrize(
    ("tags", "acknowledged", "given_back", "said"),
    [
        pytest.param([1, 2, 3], [1], [], [("Ack", 1, False)], id="one"),
        pytest.param([1, 2, 3], [2, 1, 3], [], [("Ack", 3, True)], id="all"),
        pytest.param([1, 2, 3], [1, 2], [], [("Ack", 2, True)], id="all-below-an-open-one"),
        pytest.param([1, 2, 3], [2, 3], [], [("Ack", 2, False), ("Ack", 3, False)], id="above-an-open-one"),
        pytest.param([1, 2, 3], [1, 3], [2], [("Nack", 2, False), ("Ack", 3, True)], id="one-given-back-between"),
        pytest.param([1, 2], [], [2], [("Nack", 2, False)], id="given-back"),
        pytest.param([1, 3], [1, 3], [], [("Ack", 1, False), ("Ack", 3, False)], id="one-passed-over"),
        pytest.param([2, 3], [2, 3], [], [("Ack", 2, False), ("Ack", 3, False)], id="first-passed-over"),
        pytest.param([2**40], [2**40], [], [("Ack", 2**40, False)], id="large"),
        pytest.param([1], [], [], [], id="nothing"),
    ],
)
def test_what_is_said(tags, acknowledged, given_back, said):
    answers = delivered(*tags)
    for tag in acknowledged:
        answers.settle(tag, acknowledge=True)
    for tag in given_back:
        answers.settle(tag, acknowledge=False)

    assert frames(answers) == said
    assert frames(answers) == []


steps = st.lists(st.tuples(st.sampled_from(["deliver", "skip", "ack", "nack", "say"]), st.integers(0, 50)), max_size=80)


@given(steps)
def test_the_broker_hears_of_each_delivery_what_was_said_of_it(steps):
    answers = AckBatch(CHANNEL)
    unanswered: list[int] = []
    expected: dict[int, str] = {}
    heard: dict[int, str] = {}
    with_broker: set[int] = set()
    tag = 0
    for step, number in [*steps, ("say", 0)]:
        if step in {"deliver", "skip"}:
            tag += 1
            with_broker.add(tag)
            if step == "deliver":
                answers.delivered(tag)
                unanswered.append(tag)
        elif step == "say":
            for method, upto, multiple in frames(answers):
                spoken_of = {one for one in with_broker if one <= upto} if multiple else {upto}
                assert spoken_of <= with_broker, "the broker closes a channel on which a tag is answered twice"
                heard |= dict.fromkeys(spoken_of, method)
                with_broker -= spoken_of
        elif unanswered:
            answered = unanswered.pop(number % len(unanswered))
            answers.settle(answered, acknowledge=step == "ack")
            expected[answered] = "Ack" if step == "ack" else "Nack"
    assert heard == expected
