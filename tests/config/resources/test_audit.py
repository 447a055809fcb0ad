import pytest

pytestmark = pytest.mark.loopback
AUDIT = "/api/v1/audit"


async def test_each_change_leaves_who_what_from_and_to(api, acme, key_for, clock):
    key = await key_for("config", tenants=["acme"])
    clock.pass_time(minutes=1)

    await key.call("PATCH", "/api/v1/tenants/acme", {"name": "New", "country": "GB"}, headers={"X-Request-ID": "req-7"})

    newest = (await api.get(f"{AUDIT}?top=1")).json["items"][0]
    assert newest["actor_name"] == "a key"
    assert (newest["tenant_id"], newest["kind"], newest["object_id"]) == ("acme", "tenants", "acme")
    assert (newest["action"], newest["version"], newest["changes"]) == ("updated", 2, ["country", "name"])
    assert (newest["before"]["name"], newest["after"]["name"]) == ("Acme", "New")
    assert (newest["request_id"], newest["address"], newest["at"]) == ("req-7", "127.0.0.1", "2026-03-01T12:01:00Z")
    assert (await api.get(f"{AUDIT}/{newest['id']}")).json == newest


async def test_changed_secrets_are_named_and_blank(api, sms):
    await api.call("PATCH", f"/api/v1/sms/{sms['id']}", {"credentials": {"api_secret": None, "api_token": "other"}})

    listed = await api.get(f"{AUDIT}?filter=object_id eq {sms['id']} and action eq updated")

    (record,) = listed.json["items"]
    assert record["changes"] == ["credentials.api_secret"]
    assert "credentials.api_secret" in record["before"]["secrets_set"]
    assert "credentials.api_secret" not in record["after"]["secrets_set"]


async def test_creation_and_deletion_have_one_side_only(api, acme, clock):
    clock.pass_time(minutes=1)
    await api.call("DELETE", "/api/v1/tenants/acme")

    deleted, created = (await api.get(AUDIT)).json["items"]

    assert (created["action"], created["before"], created["after"]["name"]) == ("created", None, "Acme")
    assert (deleted["action"], deleted["before"]["name"], deleted["after"], deleted["version"]) == (
        "deleted",
        "Acme",
        None,
        2,
    )


async def test_a_refused_change_leaves_nothing(api, acme):
    await api.call("PATCH", "/api/v1/tenants/acme", {"name": ""})
    await api.call("PATCH", "/api/v1/tenants/acme", {"name": "x", "version": 9})

    assert (await api.get(AUDIT)).json["count"] == 1


async def test_the_default_lost_by_a_deletion_is_a_change_of_the_tenant(api, sms):
    await api.call("PATCH", "/api/v1/tenants/acme", {"default_config_id": sms["id"]})
    await api.call("DELETE", f"/api/v1/sms/{sms['id']}")

    records = (await api.get(f"{AUDIT}?filter=kind eq tenants and action eq updated")).json["items"]

    assert sorted(record["after"]["default_config_id"] or "" for record in records) == ["", sms["id"]]


async def test_keys_are_audited_without_their_hash(api, key_for):
    await key_for("read")

    (record,) = (await api.get(AUDIT)).json["items"]

    assert set(record["after"]) == {"id", "name", "prefix", "scopes", "tenants", "expires_at"}
    assert record["tenant_id"] is None


async def test_configurations_are_audited_without_ciphertexts_hashes_and_former_tokens(api, sms):
    await api.call("POST", f"/api/v1/sms/{sms['id']}/rotate-webhook")

    listed = await api.get(f"{AUDIT}?filter=object_id eq {sms['id']}")

    for record in listed.json["items"]:
        assert set(record["after"]) == {
            "id",
            "tenant_id",
            "provider_id",
            "name",
            "enabled",
            "sender_id",
            "failure_policy",
            "limits",
            "callback_username",
            "secrets_set",
        }
