"""Where an error arose is told by files, lines and functions, and never by its words."""

import re

import pytest

from sms_common.telemetry import code_places


def outer(depth: int) -> None:
    if depth == 0:
        raise ValueError("canary")
    outer(depth - 1)


def test_the_innermost_place_comes_last():
    with pytest.raises(ValueError, match="canary") as caught:
        outer(0)
    places = code_places(caught.value)

    assert re.fullmatch(r"test_traceback_places\.py:\d+ outer", places[-1])
    assert re.fullmatch(r"test_traceback_places\.py:\d+ test_the_innermost_place_comes_last", places[-2])
    assert "canary" not in str(places)


def test_of_many_places_the_last_are_told():
    found = []
    for depth in (50, 100):
        with pytest.raises(ValueError, match="canary") as caught:
            outer(depth)
        found.append(code_places(caught.value))

    assert len(found[0]) == len(found[1]) < 50
    assert found[0][-1].endswith(" outer")


def test_an_error_that_was_not_raised_has_no_place():
    assert code_places(ValueError("canary")) == []
