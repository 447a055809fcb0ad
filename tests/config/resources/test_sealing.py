"""What of a configuration is secret is set, kept and removed, and never shown."""

import pytest

from tests.config.world import CREDENTIALS

pytestmark = pytest.mark.loopback
SMS = "/api/v1/sms"
UNSET = {"set": False, "changed_at": None, "last4": None}


class TestSecrets:
    """What the dispatcher's snapshot holds is what was really kept."""

    async def change(self, api, sms, change, *, method="PATCH"):
        answer = await api.call(method, f"{SMS}/{sms['id']}", change)
        assert answer.status == 200, answer.text
        return answer.json

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ({}, CREDENTIALS),
            ({"credentials": {}}, CREDENTIALS),
            ({"credentials": {"api_secret": "new"}}, {**CREDENTIALS, "api_secret": "new"}),
            ({"credentials": {"password": "new"}}, {**CREDENTIALS, "api_secret": "new"}),
            ({"credentials": {"username": "u", "api_token": "u"}}, {**CREDENTIALS, "api_token": "u"}),
            ({"credentials": {"api_secret": "  new\n"}}, {**CREDENTIALS, "api_secret": "new"}),
            (
                {"credentials": {"api_secret": None, "account_id": None}},
                {n: CREDENTIALS[n] for n in ("application_id", "api_token")},
            ),
            ({"credentials": None}, {}),
        ],
    )
    async def test_absent_keeps_a_value_sets_and_null_removes(self, api, sms, dispatcher_snapshot, given, kept):
        await self.change(api, sms, {"name": "Changed", **given})

        (config,) = (await dispatcher_snapshot())["configs"]
        assert config["credentials"] == kept

    async def test_a_put_keeps_secrets_that_it_does_not_name(self, api, sms, dispatcher_snapshot):
        await self.change(api, sms, {"name": "Put", "provider_id": sms["provider_id"]}, method="PUT")

        (config,) = (await dispatcher_snapshot())["configs"]
        assert config["credentials"] == CREDENTIALS

    async def test_only_a_changed_secret_gets_a_new_time(self, api, sms, clock):
        clock.pass_time(days=1)

        changed = await self.change(api, sms, {"credentials": {"api_secret": "new"}})

        times = {name: state["changed_at"] for name, state in changed["credentials_set"].items()}
        assert times.pop("api_secret") == "2026-03-02T12:00:00Z"
        assert set(times.values()) == {"2026-03-01T12:00:00Z"}

    async def test_a_removed_secret_makes_a_draft_that_names_it(self, api, sms):
        changed = await self.change(api, sms, {"credentials": {"api_secret": None}})

        assert (changed["state"], changed["missing"], changed["credentials_set"]["api_secret"]) == (
            "draft",
            ["api_secret"],
            UNSET,
        )

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ({"username": "v"}, {"username": "v", "password": "p1"}),
            ({"password": "p2"}, {"username": "u", "password": "p2"}),
            ({}, {"username": "u", "password": "p1"}),
            (None, None),
            ({"username": None, "password": None}, None),
        ],
    )
    async def test_the_callback_keeps_changes_and_goes(self, api, sms, ingress_snapshot, given, kept):
        await self.change(api, sms, {"callback": {"username": "u", "password": "p1"}})

        changed = await self.change(api, sms, {"callback": given})

        (endpoint,) = (await ingress_snapshot())["endpoints"]
        assert endpoint["callback"] == kept
        assert (changed["callback"] or {}).get("username") == (kept or {}).get("username")

    @pytest.mark.parametrize("given", [{"username": None}, {"password": None}])
    async def test_half_a_callback_is_refused(self, api, sms, given):
        await self.change(api, sms, {"callback": {"username": "u", "password": "p1"}})

        answer = await api.call("PATCH", f"{SMS}/{sms['id']}", {"callback": given})

        assert answer.status == 422

    async def test_what_was_read_can_be_written_back_with_its_callback(self, api, sms):
        read = await self.change(api, sms, {"callback": {"username": "u", "password": "p1"}})

        written = await self.change(api, sms, {**read, "name": "Written back"}, method="PUT")

        assert written["callback"] == read["callback"]

    async def test_read_only_parts_of_a_callback_cannot_be_changed(self, api, sms):
        await self.change(api, sms, {"callback": {"username": "u", "password": "p1"}})

        answer = await api.call("PATCH", f"{SMS}/{sms['id']}", {"callback": {"username": "u", "password_set": False}})

        assert list(answer.field_errors()) == ["callback.password_set"]
