"""The answer to every kind of webhook, row by row, and what is published before it."""

import asyncio
import base64
import gzip
import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sms_common.broker import Outgoing
from sms_common.errors import Code, Unavailable
from sms_common.telemetry import metrics
from sms_common.testing.broker import FakeBroker
from sms_ingress.webhook_handler import MAX_BODY_BYTES, WebhookLimits
from tests.cases import cases
from tests.ingress.world import EARLIER, EXPIRED, GUARDED, OPEN, PASSWORD, ROTATED, USER

pytestmark = pytest.mark.loopback

SAMPLES = Path(__file__).parent.parent / "data" / "webhooks"
RECEIVED = (SAMPLES / "message-received-sms.json").read_bytes()
DELIVERED = (SAMPLES / "message-delivered-sms.json").read_bytes()
TWO_EVENTS = (SAMPLES / "edge-two-events-in-one-array.json").read_bytes()
UNKNOWN_TYPE = (SAMPLES / "edge-unknown-type.json").read_bytes()


def basic(username: str, password: str, encoding: str = "utf-8") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode(encoding)).decode()}


def requests_counted(carrier: str, result: str) -> float:
    labels = {"carrier": carrier, "result": result}
    return metrics.registry.get_sample_value("smsgw_webhook_requests_total", labels) or 0


# -- accepted


async def test_a_webhook_is_answered_200_with_an_empty_body_and_is_in_the_dispatchers_queue(ingress, broker):
    answer = await ingress.post(RECEIVED)

    assert (answer.status, answer.body) == (200, b"")
    (message,) = broker.published
    assert message.exchange == "sms"
    assert message.routing_key == "sms.carrier.bandwidth.open"
    assert message.type == "sms.carrier.inbound.v1"
    assert json.loads(message.body)["event_id"] == message.message_id


async def test_every_event_of_an_array_is_published(ingress, broker):
    answer = await ingress.post(TWO_EVENTS)

    assert answer.status == 200
    assert [json.loads(message.body)["carrier_event"] for message in broker.published] == [
        "message-sent",
        "message-delivered",
    ]


async def test_a_webhook_that_comes_again_has_the_same_event_ids(ingress, broker):
    for _ in range(2):
        await ingress.post(TWO_EVENTS)

    ids = [message.message_id for message in broker.published]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2


async def test_a_token_in_its_grace_period_is_taken_and_refused_afterwards(ingress, world):
    assert (await ingress.post(RECEIVED, token=EXPIRED)).status == 404

    world.now = EARLIER

    assert (await ingress.post(RECEIVED, token=EXPIRED)).status == 200
    assert (await ingress.post(RECEIVED, token=ROTATED)).status == 200


@pytest.mark.parametrize("suffix", ["?source=bandwidth", "#top"])
async def test_query_and_fragment_do_not_matter(ingress, suffix):
    assert (await ingress.request("POST", f"/webhooks/bandwidth/{OPEN}{suffix}", data=RECEIVED)).status == 200


@pytest.mark.parametrize(
    "path", [*cases("34-slash-and-case"), "/webhooks/BANDWIDTH//TOKEN//", "/Webhooks/bandwidth/TOKEN%E2%80%8B"]
)
async def test_the_right_token_is_the_right_token_whatever_slashes_and_blanks_came_along(ingress, broker, path):
    answer = await ingress.request("POST", path.replace("TOKEN", OPEN), data=RECEIVED)

    assert answer.status == 200
    assert broker.published[0].type == "sms.carrier.inbound.v1"


async def test_half_an_emoji_costs_no_text(ingress, broker):
    answer = await ingress.post(cases("26-half-emoji-parks-neighbour")["raw_body"].encode())

    assert answer.status == 200
    assert [json.loads(message.body).get("text") for message in broker.published] == ["hi", "Hi \ufffd"]


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("iso-8859-1", "application/json; charset=ISO-8859-1"),
        ("windows-1252", 'application/json; charset="windows-1252"'),
        ("utf-8", "application/json; charset=iso-8859-1"),
        ("utf-8-sig", "application/json"),
        ("utf-16", "application/json"),
    ],
)
async def test_a_body_is_read_in_the_charset_that_it_is_in(ingress, broker, encoding, content_type):
    body = RECEIVED.decode().replace("Is the", "Gr\u00fc\u00dfe Is the").encode(encoding)

    answer = await ingress.post(body, headers={"Content-Type": content_type})

    assert answer.status == 200
    assert json.loads(broker.published[0].body)["text"].startswith("Gr\u00fc\u00dfe")


async def test_what_could_not_be_used_of_a_text_is_in_the_log_without_what_it_was(ingress, broker):
    (element,) = json.loads(RECEIVED)
    element["message"]["media"] = ["https://media.example.com/a.jpg", None, {"name": "secret.jpg"}]

    with capture_logs() as logs:
        await ingress.post(json.dumps([element]).encode())

    (remarked,) = [entry for entry in logs if entry["event"] == "webhook.partly_used"]
    assert remarked["remarks"] == ["Element 0: 2 of its media could not be read."]
    assert len(json.loads(broker.published[0].body)["media"]) == 1


# -- kept as a dead letter, and answered 200 since a repeat cannot help


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not json", id="not-json"),
        pytest.param(b"\xff\xfe\x00", id="not-utf8"),
        pytest.param(b"[]", id="empty-array"),
        pytest.param(b"[" * 100_000, id="deep-json-cut-off"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="deep-json"),
        pytest.param(b'"text"', id="not-an-array"),
        pytest.param(b'[{"type": "message-received"}]', id="no-message"),
    ],
)
async def test_an_unreadable_body_is_answered_200_and_kept_byte_for_byte(ingress, broker, body):
    answer = await ingress.post(body)

    assert (answer.status, answer.body) == (200, b"")
    (letter,) = broker.published
    assert letter.exchange == "sms.dead"
    assert letter.body == body
    assert letter.headers["x-code"] == "webhook_unreadable"
    assert letter.headers["x-carrier"] == "bandwidth"
    assert letter.headers["x-config-id"] == "open"
    assert letter.headers["x-tenant-id"] == "tenant-1"
    assert str(letter.headers["x-reason"]).endswith(".")


async def test_an_unknown_event_type_is_answered_200_kept_and_counted(ingress, broker):
    labels = {"carrier": "bandwidth", "type": "unknown"}
    before = metrics.registry.get_sample_value("smsgw_webhook_events_total", labels) or 0

    answer = await ingress.post(UNKNOWN_TYPE)

    assert answer.status == 200
    (letter,) = broker.published
    assert letter.exchange == "sms.dead"
    assert letter.body == UNKNOWN_TYPE
    assert letter.headers["x-code"] == "webhook_not_handled"
    assert letter.headers["x-kind"] == "message-frobnicated"
    assert metrics.registry.get_sample_value("smsgw_webhook_events_total", labels) == before + 1


async def test_an_unreadable_element_keeps_the_body_and_spoils_no_neighbour(ingress, broker):
    body = json.dumps([*json.loads(RECEIVED), {"type": "message-delivered"}, 7]).encode()

    answer = await ingress.post(body)

    assert answer.status == 200
    event, letter = broker.published
    assert event.type == "sms.carrier.inbound.v1"
    assert (letter.exchange, letter.body) == ("sms.dead", body)
    assert letter.headers["x-code"] == "webhook_unreadable"
    assert "And 1 more." in str(letter.headers["x-reason"])


async def test_the_same_unreadable_body_has_the_same_id_again(ingress, broker):
    for _ in range(2):
        await ingress.post(b"not json")

    assert broker.published[0].message_id == broker.published[1].message_id


# -- credentials


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1"])
async def test_right_credentials_are_taken_at_once(ingress, broker, encoding):
    answer = await ingress.post(RECEIVED, token=GUARDED, headers=basic(USER, PASSWORD, encoding))

    assert answer.status == 200
    assert broker.published[0].routing_key == "sms.carrier.bandwidth.guarded"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param(basic(USER, "wrong"), id="wrong-password"),
        pytest.param(basic("wrong", PASSWORD), id="wrong-user"),
        pytest.param(basic("", ""), id="empty"),
        pytest.param({"Authorization": "Basic"}, id="no-value"),
        pytest.param({"Authorization": "Basic !!!"}, id="not-base64"),
        pytest.param({"Authorization": "Bearer abcdef"}, id="other-scheme"),
        pytest.param({"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:\x80").decode()}, id="not-utf8"),
        pytest.param({"Authorization": "Basic pä"}, id="non-ascii-header"),
    ],
)
async def test_missing_or_wrong_credentials_are_challenged_and_the_body_is_not_looked_at(ingress, broker, headers):
    answer = await ingress.post(b"not json", token=GUARDED, headers=headers)

    assert (answer.status, answer.body) == (401, b"")
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="')
    assert broker.published == []


async def test_the_challenge_and_its_answer_travel_on_one_connection(ingress, broker):
    reader, writer = await ingress.connect()
    head = f"POST /webhooks/bandwidth/{GUARDED} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(RECEIVED)}\r\n"
    credentials = f"Authorization: {basic(USER, PASSWORD)['Authorization']}\r\n"

    writer.write(head.encode() + b"\r\n" + RECEIVED)
    first = await reader.readuntil(b"\r\n\r\n")
    writer.write(head.encode() + credentials.encode() + b"\r\n" + RECEIVED)
    second = await reader.readuntil(b"\r\n\r\n")

    assert first.startswith(b"HTTP/1.1 401 ")
    assert second.startswith(b"HTTP/1.1 200 ")
    assert len(broker.published) == 1


async def test_a_first_request_without_credentials_is_no_attack(ingress):
    challenged, unauthorized = (
        requests_counted("bandwidth", "challenged"),
        requests_counted("bandwidth", "unauthorized"),
    )

    with capture_logs() as logs:
        await ingress.post(RECEIVED, token=GUARDED)
        await ingress.post(RECEIVED, token=GUARDED, headers=basic(USER, "wrong"))

    assert [entry["result"] for entry in logs] == ["challenged", "unauthorized"]
    assert {entry["log_level"] for entry in logs} == {"info"}
    assert requests_counted("bandwidth", "challenged") == challenged + 1
    assert requests_counted("bandwidth", "unauthorized") == unauthorized + 1


# -- refused


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/webhooks/bandwidth/tok-never-seen", id="unknown-token"),
        pytest.param(f"/webhooks/bandwidth/{OPEN[:-1]}", id="token-cut-off"),
        pytest.param(f"/webhooks/bandwidth/{OPEN}x", id="token-and-more"),
        pytest.param(f"/webhooks/elsewhere/{OPEN}", id="unknown-carrier"),
        pytest.param(f"/webhooks/bandwidth/{OPEN.swapcase()}", id="token-in-other-case"),
        pytest.param(f"/webhooks/bandwidth/{OPEN[:4]}%20{OPEN[4:]}", id="token-with-a-blank"),
        pytest.param(f"/webhooks/bandwidth/{OPEN[:4]}%00{OPEN[4:]}", id="token-with-nul"),
        pytest.param("/webhooks/bandwidth/%FF%FE", id="token-not-utf8"),
    ],
)
async def test_an_unknown_webhook_is_404(ingress, broker, path):
    answer = await ingress.request("POST", path, data=RECEIVED)

    assert (answer.status, answer.body) == (404, b"")
    assert broker.published == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/webhooks",
        "/webhooks/",
        "/webhooks/bandwidth",
        "/webhooks/bandwidth/",
        "/webhooks//x",
        "/healthz",
        "/metrics",
        "/readyz",
        f"/webhooks/bandwidth/{OPEN}/more",
        f"/more/webhooks/bandwidth/{OPEN}",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_every_other_path_is_404(ingress, method, path):
    answer = await ingress.request(method, path)

    assert (answer.status, answer.body) == (404, b"")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_another_method_is_405_and_names_the_right_one(ingress, method):
    answer = await ingress.request(method, f"/webhooks/bandwidth/{OPEN}")

    assert (answer.status, answer.body) == (405, b"")
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x-unknown", "gzip, identity"])
async def test_an_encoded_body_is_refused_and_never_decoded(ingress, broker, encoding):
    answer = await ingress.post(gzip.compress(RECEIVED), headers={"Content-Encoding": encoding})

    assert (answer.status, answer.body) == (415, b"")
    assert answer.headers["Accept-Encoding"] == "identity"
    assert broker.published == []


@pytest.mark.parametrize(
    "encoding",
    ["identity", " Identity ", *(one["Content-Encoding"] for one in cases("11-content-encoding")), "none", "8bit"],
)
async def test_a_body_that_says_it_is_not_encoded_is_taken(ingress, encoding):
    assert (await ingress.post(RECEIVED, headers={"Content-Encoding": encoding})).status == 200


def padded(size: int) -> bytes:
    return RECEIVED + b" " * (size - len(RECEIVED))


async def chunks(body: bytes):
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


@pytest.mark.parametrize(
    ("size", "status"),
    [
        pytest.param(MAX_BODY_BYTES, 200, id="at-the-limit"),
        pytest.param(MAX_BODY_BYTES + 1, 413, id="one-byte-more"),
        pytest.param(1024 * 1024, 413, id="a-mebibyte"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True], ids=["with-length", "chunked"])
async def test_a_body_has_at_most_256_kib(ingress, broker, size, status, chunked):
    answer = await ingress.post(chunks(padded(size)) if chunked else padded(size))

    assert (answer.status, answer.body) == (status, b"")
    assert len(broker.published) == (status == 200)


# -- please repeat


@pytest.mark.parametrize("trouble", ["away", "blocked"])
@pytest.mark.parametrize("body", [RECEIVED, TWO_EVENTS, b"not json"], ids=["one-event", "two-events", "dead-letter"])
async def test_without_the_broker_it_is_503_and_please_repeat(ingress, broker, trouble, body):
    setattr(broker, trouble, True)

    answer = await ingress.post(body)

    assert (answer.status, answer.body) == (503, b"")
    assert answer.headers["Retry-After"] == "5"
    assert broker.published == []


async def test_when_the_broker_is_back_the_same_webhook_is_taken(ingress, broker):
    broker.away = True
    await ingress.post(RECEIVED)
    broker.away = False

    assert (await ingress.post(RECEIVED)).status == 200


async def test_without_a_configuration_it_is_503_and_please_repeat(ingress, world, broker):
    world.snapshot = None

    answer = await ingress.post(RECEIVED)

    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert broker.published == []


@pytest.mark.parametrize("body", [RECEIVED, TWO_EVENTS], ids=["one-event", "two-events"])
async def test_a_broker_that_does_not_confirm_in_time_is_503(serve, gate, body):
    async with serve(gate, WebhookLimits(deadline=0.05)) as ingress:
        with capture_logs() as logs:
            answer = await ingress.post(body)

    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert [entry["result"] for entry in logs if entry["event"] == "webhook.handled"] == ["timed_out"]


async def test_if_one_event_of_several_is_not_confirmed_all_are_asked_for_again(serve):
    class HalfAway(FakeBroker):
        async def publish(self, message: Outgoing) -> None:
            if b"message-delivered" in message.body:
                raise Unavailable(Code.BROKER_UNAVAILABLE, "The broker is away.")
            await super().publish(message)

    broker = HalfAway()
    async with serve(broker) as ingress:
        answer = await ingress.post(TWO_EVENTS)

    assert answer.status == 503
    assert len(broker.published) == 1


async def test_a_failure_of_our_own_is_500_and_told_where(serve):
    class Broken:
        async def publish(self, message: Outgoing) -> None:
            raise RuntimeError("a bug")

    async with serve(Broken()) as ingress:
        with capture_logs() as logs:
            answer = await ingress.post(RECEIVED)

    assert (answer.status, answer.body) == (500, b"")
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["webhook.failed"]


async def test_above_its_limit_of_requests_it_says_so_at_once_and_recovers(serve, gate):
    async with serve(gate, WebhookLimits(concurrent_requests=1)) as ingress:
        first = asyncio.create_task(ingress.post(RECEIVED))
        await asyncio.wait_for(gate.called.wait(), 5)

        busy = await ingress.post(RECEIVED)
        gate.open.set()

        assert (busy.status, busy.headers["Retry-After"]) == (503, "5")
        assert (await first).status == 200
        assert (await ingress.post(RECEIVED)).status == 200


async def test_a_body_that_does_not_come_is_408_and_holds_no_place_for_long(serve, broker):
    async with serve(broker, WebhookLimits(concurrent_requests=1, deadline=0.05)) as ingress:
        head = f"POST /webhooks/bandwidth/{OPEN} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n".encode()
        reader, writer = await ingress.connect()
        writer.write(head + b"[")
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        after = await ingress.post(RECEIVED)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close" in answer
    assert after.status == 200


# -- whatever happens to the connection


async def test_a_carrier_that_hangs_up_does_not_stop_its_event(serve, gate):
    async with serve(gate) as ingress:
        _, writer = await ingress.connect()
        head = f"POST /webhooks/bandwidth/{OPEN} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(RECEIVED)}\r\n\r\n"
        writer.write(head.encode() + RECEIVED)
        await asyncio.wait_for(gate.called.wait(), 5)
        writer.close()
        await writer.wait_closed()
        gate.open.set()
        await asyncio.wait_for(gate.done.wait(), 5)

    assert len(gate.confirmed) == 1


async def test_what_is_under_way_when_it_stops_is_answered(serve, gate):
    stopping = serve(gate)
    ingress = await stopping.__aenter__()
    try:
        answer = asyncio.create_task(ingress.post(RECEIVED))
        await asyncio.wait_for(gate.called.wait(), 5)
    finally:
        leaving = asyncio.create_task(stopping.__aexit__(None, None, None))
    gate.open.set()
    await leaving

    assert (await answer).status == 200


# -- what it tells


async def test_each_webhook_leaves_one_line_with_ids_and_result_and_nothing_else(ingress):
    with capture_logs() as logs:
        await ingress.post(TWO_EVENTS)
        await ingress.post(RECEIVED, token="tok-never-seen")

    known, unknown = logs
    duration = known.pop("duration_ms")
    unknown.pop("duration_ms")
    assert duration >= 0
    assert known == {
        "event": "webhook.handled",
        "log_level": "info",
        "carrier": "bandwidth",
        "config_id": "open",
        "result": "accepted",
        "events": 2,
    }
    assert unknown == {
        "event": "webhook.handled",
        "log_level": "info",
        "carrier": "unknown",
        "config_id": "unknown",
        "result": "unknown_webhook",
        "events": 0,
    }


async def test_no_token_number_text_or_password_is_ever_logged(ingress, broker):
    secrets = ["+1404555", "+1202555", OPEN, GUARDED, PASSWORD, USER, "office", "tok-never-seen", "canary"]
    with capture_logs() as logs:
        for sample in SAMPLES.glob("*.json"):
            await ingress.post(sample.read_bytes())
        await ingress.post(b'{"text": "canary"', headers={"X-Canary": "canary"})
        await ingress.post(RECEIVED, token=GUARDED, headers=basic(USER, "canary"))
        await ingress.post(RECEIVED, token="tok-never-seen")
        broker.away = True
        await ingress.post(RECEIVED)

    told = str(logs)
    assert len(logs) == 48
    assert [secret for secret in secrets if secret in told] == []


async def test_no_answer_tells_what_runs_here(ingress):
    for answer in (await ingress.post(RECEIVED), await ingress.request("GET", "/"), await ingress.post(b"", "nobody")):
        assert answer.headers["Server"] == "sms-gateway"
        assert answer.body == b""
