"""Who may use the control API, and how requests that cannot be used are refused."""

import pytest

from tests.simulator.conftest import ACCOUNT, APPLICATION, HANDSET, OWN, basic

OTHER_APPLICATION = APPLICATION.replace("0f", "1f", 1)


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/accounts/77", []),
        ("/accounts/77", {"account_id": "78"}),
        ("/accounts/77", {"rate": -1}),
        ("/accounts/77", {"applications": [{"application_id": "x"}]}),
        ("/accounts/77", {"applications": [{"application_id": APPLICATION, "inbound_url": "ftp://x"}]}),
        ("/accounts/77", {"colour": "red"}),
        ("/accounts/a%20b", {}),
        ("/clock", {"advance": -1}),
        ("/inbound", {"from": HANDSET, "to": []}),
        ("/inbound", {"from": HANDSET, "to": OWN, "account_id": ACCOUNT}),
        ("/inbound", {"from": HANDSET, "to": OWN, "media": "x"}),
        ("/inbound", {"from": HANDSET, "to": OWN, "media": ["a/b.png"]}),
        ("/webhooks", {"account_id": ACCOUNT, "application_id": OTHER_APPLICATION, "direction": "inbound", "body": 1}),
        ("/webhooks", {"account_id": "nobody", "application_id": APPLICATION, "direction": "inbound", "body": 1}),
    ],
    ids=str,
)
async def test_what_cannot_be_used_is_refused_with_a_reason(api, path, document):
    method = "PUT" if path.startswith("/accounts") else "POST"

    status, body = await api.control(method, path, document)

    assert status == 400
    assert body["error"]


async def test_a_refusal_does_not_repeat_secrets(api):
    document = {"credentials": [{"client_id": "x", "client_secret": {"value": "canary-secret"}}]}

    _, body = await api.control("PUT", "/accounts/77", document)

    assert "canary-secret" not in str(body)


async def test_a_body_that_is_not_json_is_refused(api):
    status, _, body = await api.call("POST", "/_simulator/outcomes", authorization=None, data=b"{")

    assert (status, body["error"]) == (400, "the body is not JSON")


async def test_the_control_token_is_asked_for_when_there_is_one(start):
    api = await start(control_token="let-me-in")
    wrong = [{}, {"headers": {"Authorization": "Bearer wrong"}}, {"headers": {"Authorization": basic("a", "b")}}]

    for options in wrong:
        assert (await api.control("GET", "", **options))[0] == 403
    assert (await api.control("GET", "", headers={"Authorization": "Bearer let-me-in"}))[0] == 200
