import re

import pytest

from sms_config.model.records import SmsConfigRecord
from tests.config.world import CREDENTIALS, PUBLIC, TRUNK

pytestmark = pytest.mark.loopback
SMS = "/api/v1/sms"
UNSET = {"set": False, "changed_at": None, "last4": None}


async def test_a_complete_configuration_is_active_and_shows_no_secret(sms, trunk):
    assert sms["state"] == "active"
    assert sms["missing"] == []
    shown = {
        "tenant_id": "acme",
        "name": "Main",
        "enabled": True,
        "provider_id": trunk["id"],
        "provider_name": "Main trunk",
        "provider_brand": "Bandwidth",
        "provider_hostname": "sip.bandwidth.com",
        "carrier": "bandwidth",
        "sender_id": None,
        "callback": None,
        "failure_policy": "hold",
        "webhook_former_until": None,
        "version": 1,
    }
    assert shown.items() <= sms.items()
    since = "2026-03-01T12:00:00Z"
    assert sms["credentials_set"] == {
        "account_id": {"set": True, "changed_at": since, "last4": None},
        "application_id": {"set": True, "changed_at": since, "last4": "77aa"},
        "api_token": {"set": True, "changed_at": since, "last4": None},
        "api_secret": {"set": True, "changed_at": since, "last4": None},
    }
    assert "credentials" not in sms


async def test_the_webhook_exists_from_the_first_draft_and_holds_256_random_bits(api, trunk):
    draft = await api.made(SMS, {"name": "Draft", "provider_id": trunk["id"]})
    other = await api.made(SMS, {"name": "Draft", "provider_id": trunk["id"]})

    assert draft["state"] == "draft"
    assert draft["missing"] == ["account_id", "application_id", "api_token", "api_secret"]
    assert set(draft["credentials_set"].values().__iter__().__next__()) == set(UNSET)
    assert re.fullmatch(re.escape(PUBLIC) + r"/webhooks/bandwidth/[A-Za-z0-9_-]{43}", draft["webhook"])
    assert draft["webhook"] != other["webhook"]


async def test_the_webhook_stays_through_every_change(api, sms):
    for change in (
        {"name": "N"},
        {"enabled": False},
        {"credentials": None},
        {"callback": {"username": "u", "password": "p"}},
    ):
        changed = await api.call("PATCH", f"{SMS}/{sms['id']}", change)
        assert (changed.status, changed.json["webhook"]) == (200, sms["webhook"])


@pytest.mark.parametrize(
    ("enabled", "credentials", "state"),
    [
        (True, CREDENTIALS, "active"),
        (False, CREDENTIALS, "disabled"),
        (True, {"account_id": "1"}, "draft"),
        (False, None, "draft"),
    ],
)
async def test_the_state_says_whether_it_can_send(api, trunk, enabled, credentials, state):
    made = await api.made(
        SMS, {"name": "N", "provider_id": trunk["id"], "enabled": enabled, "credentials": credentials}
    )

    assert (made["state"], made["enabled"]) == (state, enabled)


@pytest.mark.parametrize(
    ("given", "field", "part"),
    [
        ({"name": ""}, "name", "1 to 64"),
        ({"name": "x" * 65}, "name", "1 to 64"),
        ({"name": "a\u202eb"}, "name", "invisible character (U+202E RIGHT-TO-LEFT OVERRIDE) at place 2"),
        ({"name": "a\u2028b"}, "name", "invisible character (U+2028 LINE SEPARATOR) at place 2"),
        ({"enabled": "true"}, "enabled", "must be true or false"),
        ({"enabled": 1}, "enabled", "must be true or false"),
        ({"provider_id": "nothing"}, "provider_id", "is not a known trunk"),
        ({"provider_id": None}, "provider_id", "must be text"),
        ({"provider_id": {"$ne": None}}, "provider_id", "must be text"),
        ({"provider_id": "a b"}, "provider_id", "form or characters"),
        ({"tenant_id": "globex"}, "tenant_id", "is not the tenant of the trunk"),
        ({"sender_id": "Much too long name"}, "sender_id", "neither a number"),
        ({"sender_id": "20155501001"}, "sender_id", "a digit too many"),
        ({"sender_id": 12345}, "sender_id", "must be text"),
        ({"sender_id": "1" * 33}, "sender_id", "may have 32 characters"),
        ({"failure_policy": "sometimes"}, "failure_policy", "must be one of hold, resend, fail"),
        ({"failure_policy": {"$gt": ""}}, "failure_policy", "must be one of hold, resend, fail"),
        ({"failure_policy": ["hold"]}, "failure_policy", "must be one of hold, resend, fail"),
        ({"credentials": "account:secret"}, "credentials", "must be a JSON object"),
        ({"credentials": {"api_key": "x"}}, "credentials.api_key", "is not a field"),
        ({"credentials": {"api_secret": 5}}, "credentials.api_secret", "must be text"),
        ({"credentials": {"api_secret": "x" * 513}}, "credentials.api_secret", "1 to 512"),
        ({"credentials": {"api_secret": "a\tb"}}, "credentials.api_secret", "invisible character (U+0009"),
        ({"credentials": {"api_token": "a", "username": "b"}}, "credentials.username", "another name for api_token"),
        ({"callback": "user:password"}, "callback", "must be a JSON object"),
        ({"callback": {"username": "u"}}, "callback.password", "is required with a username"),
        ({"callback": {"password": "p"}}, "callback.username", "is required with a password"),
        ({"callback": {"username": "a:b", "password": "p"}}, "callback.username", "colon"),
        ({"callback": {"username": "u", "password": ""}}, "callback.password", "is required with a username"),
        ({"webhook": "https://mine"}, "webhook", "is not a field"),
        ({"state": "active"}, "state", "is not a field"),
        ({"credentials_set": {}}, "credentials_set", "is not a field"),
    ],
)
async def test_a_configuration_that_cannot_be_is_refused_by_field(api, trunk, given, field, part):
    answer = await api.call("POST", SMS, {"name": "N", "provider_id": trunk["id"], **given})

    assert answer.status == 422, answer.text
    assert list(answer.field_errors()) == [field]
    assert part in answer.field_errors()[field]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("(201) 555-0100", "+12015550100"),
        ("2015550100.0", "+12015550100"),
        ("789", "789"),
        ("12345", "12345"),
        ("My Shop", "My Shop"),
        (" ACME ", "ACME"),
        (None, None),
    ],
)
async def test_a_sender_is_kept_as_messages_carry_it(api, trunk, written, kept):
    made = await api.made(SMS, {"name": "N", "provider_id": trunk["id"], "sender_id": written})

    assert made["sender_id"] == kept


async def test_at_least_once_is_another_word_for_resend(api, sms):
    answer = await api.call("PATCH", f"{SMS}/{sms['id']}", {"failure_policy": "at_least_once"})

    assert answer.json["failure_policy"] == "resend"


class TestActions:
    async def test_enable_and_disable(self, api, sms):
        off = await api.call("POST", f"{SMS}/{sms['id']}/disable")
        on = await api.call("POST", f"{SMS}/{sms['id']}/enable")

        assert (off.status, off.json["state"], on.json["state"]) == (200, "disabled", "active")

    async def test_disabling_twice_changes_nothing(self, api, sms):
        first = await api.call("POST", f"{SMS}/{sms['id']}/disable")
        second = await api.call("POST", f"{SMS}/{sms['id']}/disable")

        assert second.json == first.json

    async def test_rotating_gives_a_new_url_and_the_old_one_a_grace_period(self, api, sms, ingress_snapshot):
        before = (await ingress_snapshot())["endpoints"][0]["tokens"]

        rotated = await api.call("POST", f"{SMS}/{sms['id']}/rotate-webhook")

        tokens = (await ingress_snapshot())["endpoints"][0]["tokens"]
        assert rotated.json["webhook"] != sms["webhook"]
        assert rotated.json["webhook_former_until"] == "2026-03-02T12:00:00Z"
        assert tokens[1] == {**before[0], "valid_until": "2026-03-02T12:00:00+00:00"}
        assert (tokens[0]["valid_until"], tokens[0] != before[0]) == (None, True)

    async def test_a_leaked_url_ends_at_once_and_all_older_ones_with_it(self, api, sms, ingress_snapshot):
        await api.call("POST", f"{SMS}/{sms['id']}/rotate-webhook")

        rotated = await api.call("POST", f"{SMS}/{sms['id']}/rotate-webhook", {"grace_seconds": 0})

        assert rotated.json["webhook_former_until"] is None
        assert len((await ingress_snapshot())["endpoints"][0]["tokens"]) == 1

    async def test_former_urls_are_forgotten_after_their_time_and_bounded(self, api, sms, ingress_snapshot, clock):
        for _ in range(8):
            await api.call("POST", f"{SMS}/{sms['id']}/rotate-webhook")
        bounded = len((await ingress_snapshot())["endpoints"][0]["tokens"])
        clock.pass_time(days=2)
        read = await api.get(f"{SMS}/{sms['id']}")
        await api.call("POST", f"{SMS}/{sms['id']}/rotate-webhook")

        assert bounded == 6
        assert read.json["webhook_former_until"] is None
        assert len((await ingress_snapshot())["endpoints"][0]["tokens"]) == 2

    @pytest.mark.parametrize("grace", [-1, 2_592_001, "60", 1.5, True])
    async def test_a_grace_period_that_cannot_be_is_refused(self, api, sms, grace):
        answer = await api.call("POST", f"{SMS}/{sms['id']}/rotate-webhook", {"grace_seconds": grace})

        assert (answer.status, list(answer.field_errors())) == (422, ["grace_seconds"])

    @pytest.mark.parametrize(("method", "action"), [("DELETE", ""), ("POST", "/destroy")], ids=["delete", "destroy"])
    async def test_a_deleted_configuration_is_gone_and_remembered_as_retired(
        self, api, sms, ingress_snapshot, dispatcher_snapshot, method, action
    ):
        deleted = await api.call(method, f"{SMS}/{sms['id']}{action}")

        assert (deleted.status, deleted.text) == (204, "")
        assert (await api.get(f"{SMS}/{sms['id']}")).status == 404
        assert (await ingress_snapshot())["endpoints"] == []
        snapshot = await dispatcher_snapshot()
        assert (snapshot["configs"], snapshot["retired_config_ids"]) == ([], [sms["id"]])


class TestMoving:
    async def test_a_configuration_moves_to_another_trunk_of_its_tenant(self, api, sms):
        second = await api.made("/api/v1/trunks", {**TRUNK, "name": "Second", "tenant_id": "acme"})

        moved = await api.call("PATCH", f"{SMS}/{sms['id']}", {"provider_id": second["id"]})

        assert (moved.status, moved.json["provider_name"], moved.json["webhook"]) == (200, "Second", sms["webhook"])

    async def test_it_does_not_move_to_another_tenant(self, api, sms):
        await api.made("/api/v1/tenants", {"id": "other", "name": "O"})
        foreign = await api.made("/api/v1/trunks", {**TRUNK, "tenant_id": "other"})

        refused = await api.call("PATCH", f"{SMS}/{sms['id']}", {"provider_id": foreign["id"]})

        assert "same tenant and carrier" in refused.field_errors()["provider_id"]


async def test_lists_show_what_trunks_are_called(api, sms, trunk):
    await api.made(SMS, {"name": "Second", "provider_id": trunk["id"], "enabled": False, "sender_id": "SHOP"})

    listed = await api.get(f"{SMS}?filter=enabled eq true and provider_id eq {trunk['id']}")

    assert (listed.json["count"], listed.json["items"]) == (1, [sms])
    assert (await api.get(f"{SMS}?search=shop")).json["count"] == 1
    assert (await api.get(f"{SMS}?orderby=name desc&top=1")).json["items"][0]["name"] == "Second"


async def test_an_empty_list_is_empty(api):
    assert (await api.get(SMS)).json == {"count": 0, "items": []}


async def test_a_webhook_that_cannot_be_read_any_more_is_shown_as_none_and_can_be_rotated(api, sms, store):
    record = store.records[SmsConfigRecord][sms["id"]]
    secret = record.secrets["webhook.token"]
    broken = {
        **record.secrets,
        "webhook.token": secret.model_copy(update={"data": secret.data[:-1] + bytes([secret.data[-1] ^ 1])}),
    }
    store.records[SmsConfigRecord][sms["id"]] = record.model_copy(update={"secrets": broken})

    read = await api.get(f"{SMS}/{sms['id']}")
    rotated = await api.call("POST", f"{SMS}/{sms['id']}/rotate-webhook")

    assert (read.status, read.json["webhook"]) == (200, None)
    assert rotated.json["webhook"].startswith(PUBLIC)


async def test_limits_are_set_as_a_whole_and_shown(api, sms):
    first = await api.call("PATCH", f"{SMS}/{sms['id']}", {"limits": {"segments_per_second": 2, "burst": 4}})
    named = await api.call("PATCH", f"{SMS}/{sms['id']}", {"name": "Renamed"})
    second = await api.call("PATCH", f"{SMS}/{sms['id']}", {"limits": {"campaign_id": "C1"}})

    assert sms["limits"]["segments_per_second"] is None
    assert (first.json["limits"]["segments_per_second"], first.json["limits"]["burst"]) == (2, 4)
    assert named.json["limits"] == first.json["limits"]
    assert second.json["limits"] == {**sms["limits"], "campaign_id": "C1"}


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ({"segments_per_second": 0}, "limits.segments_per_second"),
        ({"segments_per_second": "5"}, "limits.segments_per_second"),
        ({"segments_per_second": 5e-324}, "limits.segments_per_second"),
        ({"account_segments_per_second": 0.001}, "limits.account_segments_per_second"),
        ({"campaign_segments_per_minute": 0.5}, "limits.campaign_segments_per_minute"),
        ({"number_segments_per_minute": 0.5}, "limits.number_segments_per_minute"),
        ({"burst": 0}, "limits.burst"),
        ({"burst": 1.5}, "limits.burst"),
        ({"campaign_id": "a\nb"}, "limits.campaign_id"),
        ({"speed": 5}, "limits.speed"),
        (5, "limits"),
    ],
)
async def test_a_wrong_limit_is_refused_beside_its_field(api, sms, limits, field):
    answer = await api.call("PATCH", f"{SMS}/{sms['id']}", {"limits": limits})

    assert (answer.status, list(answer.field_errors())) == (422, [field])
