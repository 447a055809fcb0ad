"""Which answer means what: the whole table, without a network."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from sms_common.carriers.bandwidth.answers import MAX_RETRY_AFTER, accepted, retry_after
from sms_common.carriers.exchange import Answer
from sms_common.errors import (
    Code,
    Misconfigured,
    OutcomeUnknown,
    PermanentFailure,
    SendFailure,
    TemporaryFailure,
    Throttled,
)
from sms_common.messages import Accepted

NOW = datetime(2026, 7, 10, 9, 0, 0, tzinfo=UTC)
OWN = {"type": "some-type", "description": "Some words"}
FRAMEWORK = {"timestamp": "2026-07-10T09:00:00.123+0000", "status": 500, "error": "Internal Server Error", "path": "/x"}
HTML = b"<html><body>Bad Gateway</body></html>"


def answer(status, body=b"", **headers):
    return Answer(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def failure_of(status, body=b"", *, private=(), **headers):
    with pytest.raises(SendFailure) as caught:
        accepted(answer(status, body, **headers), private, NOW)
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        pytest.param(202, {"id": "a", "segmentCount": 3}, Accepted("a", 3), id="202"),
        pytest.param(202, {"id": "a"}, Accepted("a", None), id="without-segments"),
        pytest.param(202, {"id": "a", "segmentCount": "3"}, Accepted("a", None), id="segments-no-number"),
        pytest.param(202, {"id": "a", "segmentCount": 2**64 - 1}, Accepted("a", None), id="segments-beyond-64-bits"),
        pytest.param(202, {"id": "a", "segmentCount": True}, Accepted("a", None), id="segments-true"),
        pytest.param(200, {"id": "a", "segmentCount": 1}, Accepted("a", 1), id="200"),
        pytest.param(201, {"id": "a", "segmentCount": 1}, Accepted("a", 1), id="201"),
    ],
)
def test_a_success_with_an_id_is_an_acceptance(status, body, expected):
    assert accepted(answer(status, body), (), NOW) == expected


@pytest.mark.parametrize("body", [b"", {}, [], {"id": ""}, {"id": 5}, {"id": None}, HTML, b"\xff", b'{"id": "cut of'])
def test_a_202_without_a_readable_id_is_left_to_the_receipt(body):
    failure = failure_of(202, body)

    assert (type(failure), failure.code) == (OutcomeUnknown, Code.OUTCOME_UNKNOWN)
    assert failure.taken


def test_another_2xx_without_an_id_may_be_anybodys():
    failure = failure_of(200, HTML)

    assert (type(failure), failure.taken) == (OutcomeUnknown, False)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        pytest.param(400, OWN, PermanentFailure, Code.CARRIER_REFUSED, id="400"),
        pytest.param(400, HTML, PermanentFailure, Code.CARRIER_REFUSED, id="400-html"),
        pytest.param(401, OWN, Misconfigured, Code.CREDENTIALS_REFUSED, id="401"),
        pytest.param(401, b"", Misconfigured, Code.CREDENTIALS_REFUSED, id="401-empty"),
        pytest.param(403, OWN, Misconfigured, Code.CREDENTIALS_REFUSED, id="403"),
        pytest.param(404, OWN, PermanentFailure, Code.CARRIER_REFUSED, id="404"),
        pytest.param(404, {**FRAMEWORK, "status": 404}, PermanentFailure, Code.CARRIER_REFUSED, id="404-framework"),
        pytest.param(405, OWN, PermanentFailure, Code.CARRIER_REFUSED, id="405"),
        pytest.param(406, OWN, PermanentFailure, Code.CARRIER_REFUSED, id="406"),
        pytest.param(408, HTML, TemporaryFailure, Code.CARRIER_ERROR, id="408"),
        pytest.param(413, HTML, PermanentFailure, Code.CARRIER_REFUSED, id="413"),
        pytest.param(415, OWN, PermanentFailure, Code.CARRIER_REFUSED, id="415"),
        pytest.param(425, b"", TemporaryFailure, Code.CARRIER_ERROR, id="425"),
        pytest.param(429, OWN, Throttled, Code.CARRIER_BUSY, id="429"),
        pytest.param(429, HTML, Throttled, Code.CARRIER_BUSY, id="429-html"),
        pytest.param(499, b"", PermanentFailure, Code.CARRIER_REFUSED, id="499"),
        pytest.param(500, OWN, TemporaryFailure, Code.CARRIER_ERROR, id="500"),
        pytest.param(500, FRAMEWORK, TemporaryFailure, Code.CARRIER_ERROR, id="500-framework"),
        pytest.param(503, OWN, TemporaryFailure, Code.CARRIER_ERROR, id="503"),
        pytest.param(507, OWN, TemporaryFailure, Code.CARRIER_ERROR, id="507"),
        pytest.param(500, HTML, OutcomeUnknown, Code.OUTCOME_UNKNOWN, id="500-html"),
        pytest.param(500, b"", OutcomeUnknown, Code.OUTCOME_UNKNOWN, id="500-empty"),
        pytest.param(500, {"message": "upstream"}, OutcomeUnknown, Code.OUTCOME_UNKNOWN, id="500-somebodys-json"),
        pytest.param(500, {**FRAMEWORK, "status": 502}, OutcomeUnknown, Code.OUTCOME_UNKNOWN, id="500-other-status"),
        pytest.param(502, HTML, OutcomeUnknown, Code.OUTCOME_UNKNOWN, id="502"),
        pytest.param(502, OWN, OutcomeUnknown, Code.OUTCOME_UNKNOWN, id="502-json"),
        pytest.param(503, HTML, OutcomeUnknown, Code.OUTCOME_UNKNOWN, id="503-html"),
        pytest.param(504, OWN, OutcomeUnknown, Code.OUTCOME_UNKNOWN, id="504-json"),
        pytest.param(520, b"", OutcomeUnknown, Code.OUTCOME_UNKNOWN, id="520"),
        pytest.param(301, b"", OutcomeUnknown, Code.OUTCOME_UNKNOWN, id="301"),
        pytest.param(302, HTML, OutcomeUnknown, Code.OUTCOME_UNKNOWN, id="302"),
        pytest.param(304, b"", OutcomeUnknown, Code.OUTCOME_UNKNOWN, id="304"),
        pytest.param(307, b"", OutcomeUnknown, Code.OUTCOME_UNKNOWN, id="307"),
    ],
)
def test_every_other_answer_is_one_failure(status, body, kind, code):
    failure = failure_of(status, body)

    assert (type(failure), failure.code) == (kind, code)
    assert f"HTTP {status}" in failure.reason


def about(*fields):
    return {**OWN, "fieldErrors": [{"fieldName": field, "description": "is wrong"} for field in fields]}


@pytest.mark.parametrize(
    ("status", "body", "try_next_route"),
    [
        pytest.param(400, about("from"), True, id="the sender"),
        pytest.param(400, about("from", "applicationId"), True, id="the sender and its application"),
        pytest.param(400, about("to"), False, id="the recipient"),
        pytest.param(400, about("from", "to"), False, id="both"),
        pytest.param(400, about("text"), False, id="the text"),
        pytest.param(400, about(["from"]), False, id="odd"),
        pytest.param(400, OWN, False, id="nothing named"),
        pytest.param(402, OWN, True, id="the account's money"),
        pytest.param(404, OWN, True, id="the account"),
        pytest.param(401, OWN, True, id="the credentials"),
        pytest.param(403, OWN, True, id="the role"),
        pytest.param(413, OWN, False, id="the size"),
        pytest.param(429, OWN, False, id="the pace"),
        pytest.param(500, OWN, False, id="a failure"),
        pytest.param(502, HTML, False, id="perhaps sent"),
    ],
)
def test_a_refusal_says_whether_another_route_may_take_the_message(status, body, try_next_route):
    assert failure_of(status, body).try_next_route is try_next_route


def test_the_reason_tells_what_bandwidth_says_about_each_field_without_numbers():
    body = {
        "type": "request-validation",
        "description": "Your request could not be accepted.",
        "fieldErrors": [
            {"fieldName": "to", "description": "'+14045550121' must be replaced"},
            "noise",
            {"fieldName": "text", "description": "'Meet me' is bad"},
        ],
    }
    failure = failure_of(400, body, private=("Meet me",))

    words = "Your request could not be accepted; to: '+1404***0121' must be replaced; text: *** is bad"
    assert (failure.carrier_code, failure.carrier_text) == ("request-validation", words)
    assert failure.reason == f"Bandwidth answered HTTP 400: {words}"


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        pytest.param(OWN, "some-type", "Some words", id="own"),
        pytest.param({"type": "t" * 500, "description": ""}, "t" * 64, None, id="endless-type"),
        pytest.param({"type": "", "description": 5, "fieldErrors": {}}, "400", None, id="odd-types"),
        pytest.param({"type": "a\nb", "error": "Bad Request"}, "400", "Bad Request", id="unprintable-type"),
        pytest.param(HTML, "400", None, id="html"),
    ],
)
def test_the_carriers_own_code_is_its_type_or_the_status(body, code, text):
    failure = failure_of(400, body)

    assert (failure.carrier_code, failure.carrier_text) == (code, text)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("300", 300.0, id="seconds"),
        pytest.param(" 7 ", 7.0, id="blanks"),
        pytest.param("0", 0.0, id="zero"),
        pytest.param("9" * 400, MAX_RETRY_AFTER, id="endless"),
        pytest.param("Fri, 10 Jul 2026 09:01:30 GMT", 90.0, id="date"),
        pytest.param("Fri, 10 Jul 2026 09:01:30 -0000", 90.0, id="date-without-zone"),
        pytest.param("Fri, 10 Jul 2026 08:00:00 GMT", 0.0, id="date-in-the-past"),
        pytest.param("Fri, 10 Jul 2036 08:00:00 GMT", MAX_RETRY_AFTER, id="date-far-away"),
        pytest.param("Fri, 10 Jul 2026 08:00:00 +9999", None, id="no-such-zone"),
        pytest.param("soon", None, id="words"),
        pytest.param("-5", None, id="negative"),
        pytest.param("1.5", None, id="fraction"),
        pytest.param("²", None, id="not-ascii"),
        pytest.param("Fri, 99 Jul 2026 09:01:30 GMT", None, id="no-such-day"),
        pytest.param(f"Fri, 10 Jul {'9' * 30} 09:01:30 GMT", None, id="endless-year"),
        pytest.param("", None, id="empty"),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert retry_after({"Retry-After": value}, NOW) == seconds


def test_without_the_header_there_is_no_wish():
    assert retry_after({}, NOW) is None


@pytest.mark.parametrize("status", [429, 503])
def test_a_wish_for_patience_travels_with_the_failure(status):
    later = (NOW + timedelta(seconds=40)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    failure = failure_of(status, OWN, **{"Retry-After": later})

    assert isinstance(failure, TemporaryFailure)
    assert failure.retry_after == 40.0
