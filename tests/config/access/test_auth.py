from datetime import timedelta

import pytest

from sms_config.access.auth import FailureThrottle, bearer, digest, has_digest, new_key
from sms_config.model.problems import TooManyFailures
from sms_config.model.records import ApiKeyRecord
from tests.config.world import BOOTSTRAP, DISPATCHER, INGRESS, Clock, make_settings

KEYS = "/api/v1/api-keys"
TENANTS = "/api/v1/tenants"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic abc", None),
        ("Bearer " + "x" * 513, None),
    ],
)
def test_a_bearer_token_is_read_from_its_header(header, token):
    assert bearer(header) == token


def test_a_new_key_has_256_random_bits_behind_a_public_prefix():
    first, second = new_key(), new_key()

    start, prefix, secret = first.key.get_secret_value().split("_", 2)
    assert (start, prefix, len(secret)) == ("sms", first.prefix, 43)
    assert first.prefix != second.prefix
    assert has_digest(first.key.get_secret_value(), first.sha256)
    assert not has_digest(second.key.get_secret_value(), first.sha256)
    assert first.key.get_secret_value() not in repr(first)


def test_comparing_takes_any_text():
    assert not has_digest("\udcff\udc00ü", digest("x"))


class TestThrottle:
    def throttle(self, clock, **values):
        return FailureThrottle(clock, failures=3, window=timedelta(minutes=1), **values)

    def test_an_address_with_too_many_failures_is_refused_for_the_rest_of_the_window(self):
        clock = Clock()
        throttle = self.throttle(clock)
        for _ in range(3):
            throttle.check("a", "guess")
            throttle.failed("a")
        clock.pass_time(seconds=20)

        with pytest.raises(TooManyFailures) as raised:
            throttle.check("a", "guess")
        assert raised.value.headers == {"Retry-After": "41"}
        throttle.check("b", "guess")
        clock.pass_time(seconds=41)
        throttle.check("a", "guess")

    def test_what_was_right_from_there_before_is_let_through(self):
        throttle = self.throttle(Clock())
        throttle.succeeded("a", "right")
        for _ in range(3):
            throttle.failed("a")
        throttle.check("a", "right")

        for address, credential in (("a", "guess"), ("a", None)):
            with pytest.raises(TooManyFailures):
                throttle.check(address, credential)

    def test_what_was_right_elsewhere_is_not(self):
        throttle = self.throttle(Clock())
        throttle.succeeded("b", "right")
        for _ in range(3):
            throttle.failed("a")

        with pytest.raises(TooManyFailures):
            throttle.check("a", "right")

    def test_failures_count_within_a_window_only(self):
        clock = Clock()
        throttle = self.throttle(clock)
        for _ in range(5):
            throttle.failed("a")
            throttle.failed("a")
            clock.pass_time(seconds=61)

        throttle.check("a", "guess")

    def test_the_number_of_addresses_is_bounded(self):
        throttle = self.throttle(Clock(), max_tracked=2)
        for _ in range(3):
            throttle.failed("a")
        throttle.failed("b")
        throttle.failed("c")

        throttle.check("a", "guess")

    def test_the_number_of_credentials_is_bounded(self):
        throttle = self.throttle(Clock(), max_tracked=2)
        for credential in ("first", "second", "first", "third"):
            throttle.succeeded("a", credential)
        for _ in range(3):
            throttle.failed("a")

        throttle.check("a", "first")
        with pytest.raises(TooManyFailures):
            throttle.check("a", "second")


@pytest.mark.loopback
class TestCredentials:
    @pytest.mark.parametrize(
        "credential",
        [
            pytest.param(None, id="none"),
            pytest.param("wrong", id="wrong"),
            pytest.param("sms_abcdefghijkl_" + "x" * 43, id="a key that nobody made"),
            pytest.param(BOOTSTRAP + "x", id="longer than the bootstrap key"),
            pytest.param(INGRESS, id="a service token"),
        ],
    )
    async def test_without_a_known_credential_nothing_is_told(self, api, credential):
        answer = await api.with_credential(credential).get(TENANTS)

        assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        ("path", "credential", "status"),
        [
            ("ingress", INGRESS, 200),
            ("ingress", DISPATCHER, 401),
            ("ingress", BOOTSTRAP, 401),
            ("ingress", None, 401),
            ("dispatcher", DISPATCHER, 200),
            ("dispatcher", INGRESS, 401),
            ("dispatcher", BOOTSTRAP, 401),
            ("dispatcher", None, 401),
        ],
    )
    async def test_each_snapshot_opens_to_its_own_token_only(self, api, path, credential, status):
        answer = await api.with_credential(credential).get(f"/internal/v1/snapshot/{path}")

        assert answer.status == status

    @pytest.mark.parametrize(
        ("path", "right"),
        [(TENANTS, BOOTSTRAP), ("/internal/v1/snapshot/dispatcher", DISPATCHER)],
        ids=["api", "snapshot"],
    )
    async def test_guessing_is_stopped_even_when_the_next_guess_is_right(self, api, clock, path, right):
        for n in range(20):
            await api.with_credential(f"guess-{n}").get(path)

        wrong, correct = await api.with_credential("guess-21").get(path), await api.with_credential(right).get(path)

        assert [wrong.status, correct.status] == [429, 429]
        assert (wrong.json["code"], wrong.headers["Retry-After"]) == ("too_many_failures", "61")
        clock.pass_time(seconds=61)
        assert (await api.with_credential(right).get(path)).status == 200

    async def test_guessing_does_not_shut_out_who_was_known_before(self, api, key_for):
        key = await key_for("read")
        await key.get(TENANTS)
        for n in range(25):
            await api.with_credential(f"guess-{n}").get(TENANTS)

        assert (await key.get(TENANTS)).status == 200
        assert (await api.get(TENANTS)).status == 200

    async def test_a_service_with_a_wrong_token_does_not_shut_out_the_api(self, api):
        for n in range(25):
            await api.with_credential(f"guess-{n}").get("/internal/v1/snapshot/ingress")

        assert (await api.get(TENANTS)).status == 200

    async def test_a_request_without_any_credential_is_no_guess(self, api, anyone):
        for _ in range(30):
            await anyone.get(TENANTS)

        assert (await api.get(TENANTS)).status == 200

    async def test_without_a_bootstrap_key_only_made_keys_open(self, serve):
        api = await serve(make_settings(bootstrap_api_key=None))

        assert (await api.get(TENANTS)).status == 401


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
