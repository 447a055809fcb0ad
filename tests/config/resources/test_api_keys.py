"""API keys: shown once, with no more rights than their maker has, and gone at once when they end."""

import pytest

from sms_config.access.auth import digest
from sms_config.model.records import ApiKeyRecord

KEYS = "/api/v1/api-keys"
TENANTS = "/api/v1/tenants"


@pytest.mark.loopback
class TestApiKeys:
    async def test_a_key_is_shown_once_and_only_its_hash_is_kept(self, api, store):
        made = await api.made(KEYS, {"name": "PBX", "scopes": ["send", "read", "send"]})

        read = await api.get(f"{KEYS}/{made['id']}")
        kept = store.records[ApiKeyRecord][made["id"]]
        assert made["key"].startswith(f"sms_{made['prefix']}_")
        assert read.json == {name: value for name, value in made.items() if name != "key"}
        assert (made["scopes"], made["tenants"]) == (["read", "send"], None)
        assert kept.sha256 == digest(made["key"])
        assert made["key"][17:] not in repr(store.records)

    @pytest.mark.parametrize(
        ("scopes", "works"),
        [
            (["send"], {}),
            (["read"], {"read"}),
            (["config"], {"read", "write"}),
            (["read", "send"], {"read"}),
            (["admin"], {"read", "write", "keys", "audit"}),
        ],
    )
    async def test_scopes_open_what_they_say(self, acme, key_for, scopes, works):
        key = await key_for(*scopes)
        tried = {
            "read": await key.get(TENANTS),
            "write": await key.call("PATCH", f"{TENANTS}/acme", {"name": "New"}),
            "keys": await key.get(KEYS),
            "audit": await key.get("/api/v1/audit"),
        }

        assert {name for name, answer in tried.items() if answer.status == 200} == set(works)
        assert {answer.status for name, answer in tried.items() if name not in works} <= {403}

    @pytest.mark.parametrize(
        ("given", "field", "part"),
        [
            ({"name": None}, "name", "must be text"),
            ({"scopes": None}, "scopes", "must be a list"),
            ({"scopes": []}, "scopes", "needs at least one"),
            ({"scopes": ["root"]}, "scopes.0", "must be one of send, read, config, operate, admin"),
            ({"scopes": "admin"}, "scopes", "must be a list"),
            ({"scopes": [["admin"]]}, "scopes.0", "must be one of"),
            ({"tenants": []}, "tenants", "needs at least one"),
            ({"tenants": ["nobody", "none"]}, "tenants", "holds unknown tenants: nobody, none"),
            ({"tenants": [{"$ne": 1}]}, "tenants.0", "must be text"),
            ({"expires_at": "tomorrow"}, "expires_at", "must be a time with its zone"),
            ({"expires_at": 1999999999}, "expires_at", "must be a time"),
            ({"expires_at": "2026-12-01T00:00:00"}, "expires_at", "must be a time with its zone"),
            ({"expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at", "is too far away"),
            ({"expires_at": "2026-01-01T00:00:00Z"}, "expires_at", "is in the past"),
            ({"key": "mine"}, "key", "is not a field"),
        ],
    )
    async def test_a_key_that_cannot_be_is_refused_by_field(self, api, given, field, part):
        answer = await api.call("POST", KEYS, {"name": "k", "scopes": ["read"], **given})

        assert answer.status == 422
        assert list(answer.field_errors()) == [field]
        assert part in answer.field_errors()[field]

    async def test_a_key_ends_when_it_expires_and_can_be_prolonged(self, api, clock):
        made = await api.made(KEYS, {"name": "k", "scopes": ["read"], "expires_at": "2026-03-02T00:00:00.1234567Z"})
        key = api.with_credential(made["key"])

        before = await key.get(TENANTS)
        clock.pass_time(days=1)
        after = await key.get(TENANTS)
        renamed = await api.call("PATCH", f"{KEYS}/{made['id']}", {"name": "old"})
        await api.call("PATCH", f"{KEYS}/{made['id']}", {"expires_at": None})
        prolonged = await key.get(TENANTS)

        assert made["expires_at"] == "2026-03-02T00:00:00.123000Z"
        assert [before.status, after.status, renamed.status, prolonged.status] == [200, 401, 200, 200]

    async def test_a_deleted_key_opens_nothing_at_once(self, api):
        made = await api.made(KEYS, {"name": "k", "scopes": ["read"]})

        await api.call("DELETE", f"{KEYS}/{made['id']}")

        assert (await api.with_credential(made["key"]).get(TENANTS)).status == 401

    async def test_a_narrowed_key_is_narrow_at_once(self, api):
        made = await api.made(KEYS, {"name": "k", "scopes": ["config"]})
        key = api.with_credential(made["key"])

        await api.call("PATCH", f"{KEYS}/{made['id']}", {"scopes": ["read"]})

        assert (await key.call("POST", TENANTS, {"name": "T"})).status == 403

    async def test_the_last_use_is_kept_to_the_minute_and_is_no_change(self, api, clock):
        made = await api.made(KEYS, {"name": "k", "scopes": ["read"]})
        key = api.with_credential(made["key"])
        uses = []
        for seconds in (0, 30, 40):
            clock.pass_time(seconds=seconds)
            await key.get(TENANTS)
            uses.append((await api.get(f"{KEYS}/{made['id']}")).json["last_used_at"])

        assert uses == ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", "2026-03-01T12:01:10Z"]
        assert (await api.get("/api/v1/audit?filter=kind eq api_keys")).json["count"] == 1

    async def test_a_key_read_can_be_written_back(self, api):
        made = await api.made(KEYS, {"name": "k", "scopes": ["read"], "expires_at": "2027-01-01T00:00:00Z"})
        made.pop("key")

        written = await api.call("PUT", f"{KEYS}/{made['id']}", {**made, "name": "l"})

        assert (written.status, written.json) == (200, {**made, "name": "l", "version": 2})

    async def test_nobody_hands_out_more_than_they_have(self, api, acme, key_for):
        await api.made(TENANTS, {"id": "other", "name": "O"})
        local = await key_for("admin", tenants=["acme"])
        wide = await api.made(KEYS, {"name": "k", "scopes": ["read"]})

        for_all = await local.call("POST", KEYS, {"name": "k", "scopes": ["read"]})
        for_other = await local.call("POST", KEYS, {"name": "k", "scopes": ["read"], "tenants": ["other"]})
        for_mine = await local.made(KEYS, {"name": "k", "scopes": ["admin"], "tenants": ["acme", "acme"]})
        widened = await local.call("PATCH", f"{KEYS}/{for_mine['id']}", {"tenants": None})

        assert for_all.status == 403
        assert for_other.field_errors() == {"tenants": "holds unknown tenants: other"}
        assert for_mine["tenants"] == ["acme"]
        assert widened.status == 403
        assert (await local.get(f"{KEYS}/{wide['id']}")).status == 404

    async def test_a_key_for_several_tenants_is_seen_only_by_who_sees_them_all(self, api, acme, key_for):
        await api.made(TENANTS, {"id": "other", "name": "O"})
        both = await api.made(KEYS, {"name": "both", "scopes": ["read"], "tenants": ["acme", "other"]})
        local = await key_for("admin", tenants=["acme"])

        assert (await local.get(f"{KEYS}/{both['id']}")).status == 404
        assert [item["tenants"] for item in (await local.get(KEYS)).json["items"]] == [["acme"]]
