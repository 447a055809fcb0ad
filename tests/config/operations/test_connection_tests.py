"""Trying the credentials of an SMS configuration from the API, at a simulated Bandwidth."""

import pytest

from carrier_simulator import SimulatedAccount, SimulatorSettings, running
from tests.config.world import CREDENTIALS, make_settings

pytestmark = pytest.mark.loopback


def steps(answer):
    return [(step["step"], step["ok"], step["code"]) for step in answer.json["steps"]]


class TestCredentials:
    @pytest.fixture
    async def settings(self):
        account = {
            "account_id": CREDENTIALS["account_id"],
            "credentials": [
                {"client_id": CREDENTIALS["api_token"], "client_secret": CREDENTIALS["api_secret"]},
                {"client_id": CREDENTIALS["api_token"], "client_secret": "the-next-secret"},
            ],
        }
        async with running(SimulatorSettings()) as simulator:
            simulator.put_account(SimulatedAccount.model_validate(account))
            urls = {"messaging_url": simulator.messaging_url, "token_url": simulator.token_url}
            yield make_settings(carrier_options={"bandwidth": urls})

    @pytest.mark.parametrize(
        ("body", "last"),
        [
            (None, ("account", True, None)),
            ({}, ("account", True, None)),
            ({"credentials": {"api_secret": "the-next-secret"}}, ("account", True, None)),
            ({"credentials": {"api_secret": "a-typing-error"}}, ("token", False, "credentials_refused")),
            ({"credentials": {"account_id": "9900999"}}, ("account", False, "credentials_refused")),
            ({"credentials": {"api_secret": None}}, ("complete", False, "config_incomplete")),
        ],
        ids=["stored", "empty", "typed", "mistyped", "another account", "removed"],
    )
    async def test_stored_and_typed_ones_are_tried(self, api, sms, store, body, last):
        before = dict(store.records)

        answer = await api.call("POST", f"/api/v1/sms/{sms['id']}/test-credentials", body)

        assert (answer.status, answer.json["ok"], steps(answer)[-1]) == (200, last[1], last)
        assert not [value for value in ("secret-of-acme", "the-next-secret", "a-typing-error") if value in answer.text]
        assert store.records == before

    async def test_a_draft_says_what_is_missing(self, api, trunk):
        draft = await api.made("/api/v1/sms", {"name": "Draft", "provider_id": trunk["id"]})

        answer = await api.call("POST", f"/api/v1/sms/{draft['id']}/test-credentials")

        assert steps(answer) == [("complete", False, "config_incomplete")]
        assert "api_secret" in answer.json["steps"][0]["says"]

    async def test_too_many_trials_of_one_are_refused_and_another_is_not(self, api, sms, trunk, clock):
        path = f"/api/v1/sms/{sms['id']}/test-credentials"
        body = {"credentials": {"api_secret": None}}
        for _ in range(6):
            assert (await api.call("POST", path, body)).status == 200

        answer = await api.call("POST", path, body)
        other = await api.made("/api/v1/sms", {"name": "Other", "provider_id": trunk["id"]})
        assert (answer.status, answer.json["code"], answer.headers["Retry-After"]) == (429, "too_many_trials", "60")
        assert (await api.call("POST", f"/api/v1/sms/{other['id']}/test-credentials")).status == 200
        clock.pass_time(seconds=60)
        assert (await api.call("POST", path, body)).status == 200

    @pytest.mark.parametrize("trial", ["test-credentials", "test-webhook"])
    async def test_another_tenants_is_not_found_and_the_scope_is_asked_for(self, api, sms, key_for, trial):
        await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})
        path = f"/api/v1/sms/{sms['id']}/{trial}"

        assert (await (await key_for("config", tenants=["globex"])).call("POST", path)).status == 404
        assert (await (await key_for("operate", tenants=["acme"])).call("POST", path)).status == 403

    async def test_options_that_cannot_be_used_end_the_start(self, serve):
        with pytest.raises(ValueError, match="messaging_uri"):
            await serve(make_settings(carrier_options={"bandwidth": {"messaging_uri": "https://x"}}))
