from datetime import timedelta

import pytest

from sms_config.access.auth import FailureThrottle, bearer, digest, has_digest, new_key
from sms_config.model.problems import TooManyFailures
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
