"""What a carrier says is shown without numbers, on one line, and not at any length."""

import pytest

from sms_common.carriers.carrier_text import MAX_WORDS, shown


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param("Authentication Failed", "Authentication Failed", id="plain"),
        pytest.param("'+14045550121' is invalid", "'+1404***0121' is invalid", id="e164"),
        pytest.param("call (404) 555-0121 now", "call (4045***121 now", id="national"),
        pytest.param("text: 'Meet me at 9' is bad", "text: *** is bad", id="quoted-text"),
        pytest.param(
            "900 messages (15 minutes), error 4775", "900 messages (15 minutes), error 4775", id="counts-stay"
        ),
        pytest.param("a\nb\tc\x1b[31m", "a b c [31m", id="one-line"),
        pytest.param(" \n ", None, id="blank"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="none"),
        pytest.param(7, None, id="no-text"),
        pytest.param("x" * 1000, "x" * (MAX_WORDS - 1) + "…", id="cut"),
    ],
)
def test_words_are_made_fit_to_show(words, expected):
    assert shown(words) == expected


def test_private_strings_are_taken_out_wherever_they_stand():
    words = "'+1invalid' and 'Meet me at 9' of 'ab' from 12345, https://m.example/x.png and https://m.example/x.png?y"
    private = ["+1invalid", "Meet me at 9", "ab", "", "12345", "https://m.example/x.png", "https://m.example/x.png?y"]

    assert shown(words, private=private) == "'***' and '***' of 'ab' from ***45, *** and ***"
