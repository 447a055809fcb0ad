"""Webhook credentials: every bad header is refused the same way, and none is an error of ours."""

import base64

import pytest
from pydantic import SecretStr

from sms_common.carriers.bandwidth import Bandwidth
from sms_common.carriers.protocol import WebhookRequest
from sms_common.configuration import CallbackCredentials
from sms_common.errors import Code, WebhookUnauthorized
from tests.cases import case

USER, WORD = "bandwidth-caller", "correct horse:battery"


def basic(text, *, scheme="Basic", encoding="utf-8"):
    return f"{scheme} {base64.b64encode(text.encode(encoding)).decode()}"


def authenticate(authorization, user=USER, word=WORD):
    headers = {} if authorization is None else {"authorization": authorization}
    expected = CallbackCredentials(username=user, password=SecretStr(word))
    Bandwidth().authenticate(WebhookRequest(headers, b"[]"), expected)


@pytest.mark.parametrize(
    ("authorization", "user", "word"),
    [
        pytest.param(basic(f"{USER}:{WORD}"), USER, WORD, id="colon-in-the-password"),
        pytest.param(basic(f"{USER}:{WORD}", scheme="bAsIc"), USER, WORD, id="scheme-in-any-case"),
        pytest.param(basic(f"{USER}:{WORD}", scheme="  Basic  ") + "  ", USER, WORD, id="blanks"),
        pytest.param(basic("jürgen:geheim€"), "jürgen", "geheim€", id="not-ascii"),
        pytest.param(basic(f"{USER}:"), USER, "", id="empty-password"),
        pytest.param(basic("jürgen:geheim", encoding="latin-1"), "jürgen", "geheim", id="in-iso-8859-1"),
        pytest.param(
            case("35-callback-non-ascii")["input"]["authorization"], "sms", "Schl\u00fcssel-2026-xy", id="case-35"
        ),
        pytest.param(basic(f"{USER}:{WORD}").rstrip("="), USER, WORD, id="without-padding"),
        pytest.param(basic(f"{USER}:{WORD}").replace(" ", "\t"), USER, WORD, id="a-tab-after-the-scheme"),
        pytest.param("Basic " + base64.b64encode(b"u:\xed\xb3\xbf").decode(), "u", "\udcff", id="no-unicode"),
    ],
)
def test_the_configured_credentials_are_accepted(authorization, user, word):
    authenticate(authorization, user, word)


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(None, id="missing"),
        pytest.param("", id="empty"),
        pytest.param("Basic", id="scheme-only"),
        pytest.param(basic(f"{USER}:wrong"), id="wrong-password"),
        pytest.param(basic(f"somebody:{WORD}"), id="wrong-user"),
        pytest.param(basic(f"{USER}:"), id="no-password"),
        pytest.param(basic(f":{WORD}"), id="no-user"),
        pytest.param(basic(USER), id="no-colon"),
        pytest.param(basic(""), id="nothing-inside"),
        pytest.param(basic(f"{USER}:{WORD}x"), id="longer"),
        pytest.param(basic(f"{USER}:{WORD}", scheme="Bearer"), id="other-scheme"),
        pytest.param(basic("jürgen:geheim"), id="not-ascii-inside"),
        pytest.param(basic("jürgen:geheim", encoding="latin-1"), id="not-utf8-inside"),
        pytest.param("Basic ünïcödé", id="not-ascii-outside"),
        pytest.param("Basic \udcff\udcfe", id="raw-bytes"),
        pytest.param("Basic !!!!", id="not-base64"),
        pytest.param(basic(f"{USER}:{WORD}").replace("Y", "!Y", 1), id="base64-with-something-inside"),
        pytest.param("Basic QUI", id="base64-cut-off"),
        pytest.param("Basic " + "A" * 100_000, id="endless"),
    ],
)
def test_any_other_header_is_unauthorized_and_nothing_worse(authorization):
    with pytest.raises(WebhookUnauthorized) as caught:
        authenticate(authorization)

    assert caught.value.code is Code.WEBHOOK_UNAUTHORIZED
    assert not {USER, WORD, "wrong"} & set(str(caught.value).split())


@pytest.mark.parametrize(
    ("authorization", "said"),
    [(None, "are missing"), ("", "are missing"), ("Basic QQ==", "are not the configured ones")],
)
def test_the_log_tells_missing_credentials_from_wrong_ones(authorization, said):
    with pytest.raises(WebhookUnauthorized, match=said):
        authenticate(authorization)


def test_empty_credentials_do_not_match_a_header_without_any():
    with pytest.raises(WebhookUnauthorized):
        authenticate(None, "", "")


def test_a_user_without_a_colon_does_not_match_an_empty_password():
    with pytest.raises(WebhookUnauthorized):
        authenticate(basic(USER), USER, "")


def test_a_configuration_without_credentials_asks_for_none():
    Bandwidth().authenticate(WebhookRequest({}, b"[]"), None)
    Bandwidth().authenticate(WebhookRequest({"authorization": "Basic ünïcödé"}, b"[]"), None)


def test_the_challenge_makes_a_caller_that_waits_for_one_send_its_credentials():
    challenge = Bandwidth().challenge()["WWW-Authenticate"]

    assert challenge.startswith('Basic realm="')
    with pytest.raises(WebhookUnauthorized):
        authenticate(None)
    authenticate(basic(f"{USER}:{WORD}"))
