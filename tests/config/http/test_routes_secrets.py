"""Canaries in every secret field: they appear in the dispatcher's snapshot and nowhere else.

The ids of account and application are no secrets: answers show them. What is kept or logged has neither in the clear.
"""

import pytest
import structlog

from sms_config.model.records import SmsConfigRecord

pytestmark = pytest.mark.loopback
SMS = "/api/v1/sms"
CANARIES = {
    "account_id": "canary-account-4711",
    "application_id": "canary-application-4712",
    "api_token": "canary-token-4713",
    "api_secret": "canary-secret-4714",
}
SHOWN = {CANARIES["account_id"], CANARIES["application_id"]}
PASSWORD = "canary-password-4715"
REFUSED = "canary-refused-4716\x07"


async def every_answer(api, trunk):
    """Do everything that can be done with secrets, and gather what was answered."""
    body = {
        "name": "Canaries",
        "provider_id": trunk["id"],
        "credentials": CANARIES,
        "callback": {"username": "u", "password": PASSWORD},
    }
    answers = [await api.call("POST", SMS, body)]
    sms = answers[0].json
    path = f"{SMS}/{sms['id']}"
    answers += [
        await api.get(path),
        await api.get(SMS),
        await api.get(f"{SMS}?search=canary"),
        await api.get(f"{SMS}?filter=name eq {CANARIES['api_secret']}"),
        await api.call(
            "PATCH", path, {"credentials": {"api_secret": CANARIES["api_secret"]}, "callback": {"password": PASSWORD}}
        ),
        await api.call("PATCH", path, {"credentials": CANARIES, "version": 1}),
        await api.call("PUT", path, {**body, "name": "Again"}),
        await api.call("PATCH", path, {"credentials": {"api_secret": REFUSED}}),
        await api.call("PATCH", path, {"credentials": {"username": CANARIES["api_secret"], "api_token": "other"}}),
        await api.call("PATCH", path, {"credentials": CANARIES["api_secret"]}),
        await api.call("PATCH", path, {"api_secret": CANARIES["api_secret"]}),
        await api.call("PATCH", path, {"callback": {"username": "a:" + PASSWORD, "password": PASSWORD}}),
        await api.call("PATCH", path, {"credentials": {"api_secret": {"nested": CANARIES["api_secret"]}}}),
        await api.call("POST", f"{path}/rotate-webhook"),
        await api.call("POST", f"{path}/disable"),
        await api.call("POST", f"{path}/enable"),
        await api.get("/api/v1/audit"),
        await api.get("/api/v1/openapi.json"),
        await api.call("DELETE", path),
        await api.get(f"/api/v1/audit?filter=object_id eq {sms['id']}"),
    ]
    return answers


def hidden(text: str) -> list[str]:
    return [canary for canary in (*CANARIES.values(), PASSWORD, REFUSED[:-1]) if canary in text]


async def test_no_answer_and_no_audit_record_holds_a_secret(api, trunk):
    answers = await every_answer(api, trunk)

    assert {answer.status for answer in answers} == {200, 201, 204, 409, 422}
    for answer in answers:
        assert set(hidden(answer.text)) <= SHOWN


async def test_no_log_line_holds_a_secret(api, trunk, capsys):
    with structlog.testing.capture_logs() as lines:
        await every_answer(api, trunk)

    assert len(lines) > 20
    assert hidden(str(lines)) == []


async def test_no_webhook_token_is_in_the_audit_or_in_a_log_line(api, trunk):
    with structlog.testing.capture_logs() as lines:
        answers = await every_answer(api, trunk)

    tokens = {
        answer.json["webhook"].rsplit("/", 1)[1] for answer in answers if answer.json and answer.json.get("webhook")
    }
    audit = [answer.text for answer in answers if answer.json and '"changes"' in answer.text]
    assert len(tokens) == 2
    assert len(audit) == 3
    assert not [token for token in tokens if token in str(audit) or token in str(lines)]


async def test_nothing_kept_holds_a_secret_in_the_clear(api, trunk, store):
    body = {
        "name": "N",
        "provider_id": trunk["id"],
        "credentials": CANARIES,
        "callback": {"username": "u", "password": PASSWORD},
    }
    made = await api.made(SMS, body)

    kept = str([record.model_dump() for records in store.records.values() for record in records.values()])

    assert hidden(kept) == []
    assert made["webhook"].rsplit("/", 1)[1] not in kept


async def test_a_secret_moved_to_another_configuration_does_not_open(api, trunk, store, clock, dispatcher_snapshot):
    first = await api.made(SMS, {"name": "First", "provider_id": trunk["id"], "credentials": CANARIES})
    clock.pass_time(seconds=1)
    second = await api.made(SMS, {"name": "Second", "provider_id": trunk["id"], "credentials": {"api_secret": "own"}})
    records = store.records[SmsConfigRecord]
    stolen = records[first["id"]].secrets["credentials.api_secret"]
    record = records[second["id"]]
    records[second["id"]] = record.model_copy(update={"secrets": {**record.secrets, "credentials.api_secret": stolen}})

    with structlog.testing.capture_logs() as lines:
        configs = (await dispatcher_snapshot())["configs"]

    assert configs[0]["credentials"] == CANARIES
    assert configs[1]["credentials"] == {}
    assert [(line["event"], line["config_id"], line["field"]) for line in lines if line["log_level"] == "error"] == [
        ("secret.unreadable", second["id"], "credentials.api_secret")
    ]
