"""A process's options are checked at the start."""

import pytest

from sms_common.carriers.bandwidth import Bandwidth, Options


def test_the_defaults_are_bandwidths_own_addresses_over_https():
    options = Options()

    assert options.messaging_url == "https://messaging.bandwidth.com/api/v2"
    assert options.token_url == "https://api.bandwidth.com/api/v1/oauth2/token"
    assert (options.connect_timeout, options.total_timeout) == (3.0, 25.0)
    assert not options.basic_auth


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"messaging_url": "http://127.0.0.1:8090/api/v2"}, id="loopback"),
        pytest.param({"token_url": "http://[::1]:8090/token"}, id="loopback-v6"),
        pytest.param({"messaging_url": "http://localhost/api/v2"}, id="localhost"),
        pytest.param({"messaging_url": "http://simulator:8090/api/v2", "allow_insecure": True}, id="simulator"),
        pytest.param({"connect_timeout": 1, "total_timeout": 1}, id="timeouts"),
    ],
)
def test_good_options_are_taken(options):
    Bandwidth(options=options)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        pytest.param({"mesaging_url": "https://x.example"}, "mesaging_url", id="misspelt"),
        pytest.param({"messaging_url": "http://simulator:8090/api/v2"}, "must use https", id="http"),
        pytest.param({"token_url": "http://127.0.0.1.example.com/token"}, "must use https", id="looks-like-loopback"),
        pytest.param({"token_url": "ftp://x.example/token"}, "not an http", id="ftp"),
        pytest.param({"messaging_url": "https:///api/v2"}, "not an http", id="no-host"),
        pytest.param({"messaging_url": "https://user:word@x.example"}, "no credentials", id="credentials"),
        pytest.param({"token_url": "https://x.example/?a=b"}, "no credentials", id="query"),
        pytest.param({"total_timeout": 0}, "total_timeout", id="no-time"),
        pytest.param({"total_timeout": 120}, "total_timeout", id="longer-than-a-claim"),
        pytest.param({"connect_timeout": 10, "total_timeout": 5}, "longer than total_timeout", id="order"),
        pytest.param({"basic_auth": "perhaps"}, "basic_auth", id="no-boolean"),
    ],
)
def test_bad_options_are_refused_by_name(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        Bandwidth(options=options)


async def test_sending_without_a_session_is_a_programming_error():
    with pytest.raises(RuntimeError, match="HTTP session"):
        await Bandwidth().send(None, None)  # type: ignore[arg-type]


async def test_closing_without_a_session_is_fine():
    await Bandwidth().close()
