"""A stranger's log-in attempts harm nobody else, wherever both come from. And who a client behind a proxy is."""

import json
from pathlib import Path

import pytest

from tests.config.people import SESSION, guess, log_in, system_admin
from tests.config.world import BOOTSTRAP, INGRESS, PASSWORD, make_settings

pytestmark = pytest.mark.loopback

CASE = json.loads((Path(__file__).parents[2] / "data/cases/54-secure-cookie-over-http.json").read_text())
TENANTS = "/api/v1/tenants"
SNAPSHOT = "/internal/v1/snapshot/ingress"
STRANGER, COLLEAGUE = "203.0.113.66", "198.51.100.10"
BEHIND = "X-Forwarded-For"


@pytest.fixture(params=["127.0.0.1", ""], ids=["a declared proxy", "an undeclared proxy"])
async def api(request, serve):
    """The service behind a proxy on this machine, which adds the address of its client."""
    api = await serve(make_settings(trusted_proxies=request.param))
    await api.made("/api/v1/users", system_admin("boss"))
    return api


async def test_who_guesses_a_name_is_shut_out_alone(api):
    assert await guess(api, 15, {BEHIND: STRANGER}) == {401, 429}

    assert await log_in(api, {BEHIND: STRANGER}) == 429
    assert await log_in(api, {BEHIND: COLLEAGUE}) == 201


async def test_who_guesses_many_names_is_shut_out_alone(api):
    assert await guess(api, 30, {BEHIND: STRANGER}, "name {}") == {401, 429}

    assert await log_in(api, {BEHIND: STRANGER}) == 429
    assert await log_in(api, {BEHIND: COLLEAGUE}) == 201


async def test_to_make_up_whom_one_speaks_for_helps_only_so_far(serve):
    api = await serve(make_settings())
    await api.made("/api/v1/users", system_admin("boss"))
    for number in range(50):
        assert await guess(api, 1, {BEHIND: f"203.0.113.{number}"}) == {401}

    assert await log_in(api, {BEHIND: "203.0.113.250"}) == 429


async def test_wrong_keys_of_a_stranger_stop_no_key_that_was_made_even_a_fresh_one(api, key_for):
    key = await key_for("read")
    wrong = [await api.with_credential(f"sms_abcdefghijkl_{n:043}").get(TENANTS) for n in range(25)]

    assert [answer.status for answer in wrong] == [401] * 20 + [429] * 5
    assert (await key.get(TENANTS)).status == 200


@pytest.mark.parametrize(("path", "right"), [(TENANTS, BOOTSTRAP), (SNAPSHOT, INGRESS)], ids=["bootstrap", "service"])
async def test_wrong_keys_behind_a_declared_proxy_count_for_their_own_client(serve, path, right):
    api = await serve(make_settings(trusted_proxies="127.0.0.1"))
    for number in range(25):
        await api.with_credential(f"guess-{number}").get(path, headers={BEHIND: STRANGER})

    assert (await api.with_credential(right).get(path, headers={BEHIND: STRANGER})).status == 429
    assert (await api.with_credential(right).get(path, headers={BEHIND: COLLEAGUE})).status == 200


@pytest.mark.parametrize(
    ("proxies", "headers", "address"),
    [
        ("127.0.0.1", {BEHIND: f"10.0.0.9, {COLLEAGUE}"}, COLLEAGUE),
        ("127.0.0.0/8, 10.0.0.0/8", {BEHIND: f"{COLLEAGUE}, 10.0.0.9"}, COLLEAGUE),
        ("10.0.0.0/8", {BEHIND: COLLEAGUE}, "127.0.0.1"),
        ("", {BEHIND: COLLEAGUE}, "127.0.0.1"),
        ("127.0.0.1", {}, "127.0.0.1"),
    ],
)
async def test_the_audit_names_the_client_as_far_as_proxies_are_declared(serve, proxies, headers, address):
    api = await serve(make_settings(trusted_proxies=proxies))
    await api.call("POST", TENANTS, {"id": "acme", "name": "Acme"}, headers=headers)

    assert (await api.get("/api/v1/audit")).json["items"][0]["address"] == address


PORTAL = "https://sms-admin.example.com"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://192.0.2.10:8081", "Host": "192.0.2.10:8081"}, 403),
        ({"Host": "192.0.2.10:8081"}, 403),
        ({"Origin": "http://sms-admin.example.com", "Host": "sms-admin.example.com"}, 403),
        ({"Origin": "http://192.0.2.10:8081", "X-Forwarded-Proto": "http"}, 403),
        ({"Origin": "http://[2001:db8::1]:8081"}, 403),
        ({"Origin": "http://[nonsense"}, 403),
        ({"Origin": PORTAL, "Host": "sms-admin.example.com"}, 201),
        ({"Host": "sms-admin.example.com"}, 201),
        ({"Origin": "http://192.0.2.10:8081", "X-Forwarded-Proto": "https"}, 201),
        ({"Origin": "http://192.0.2.10:8081", "X-Forwarded-Proto": "https, http"}, 201),
        ({"Origin": "http://localhost:8081"}, 201),
        ({}, 201),
    ],
)
async def test_a_log_in_over_http_for_a_portal_over_https_is_told_to_use_https(serve, headers, status):
    assert CASE["expected"] == "a sentence: open it by https"
    api = await serve(make_settings(portal_url=PORTAL))
    await api.made("/api/v1/users", system_admin("boss"))
    body = {"username": "boss", "password": PASSWORD}

    answer = await api.with_credential(None).call("POST", SESSION, body, headers=headers)

    assert answer.status == status
    if status == 403:
        assert answer.json["code"] == "https_needed"
        assert answer.json["message"].startswith(f"Open the portal by https, at {PORTAL}")
        assert "Set-Cookie" not in answer.headers


async def test_the_cookie_is_for_tls_only_behind_several_proxies(serve):
    api = await serve(make_settings())
    await api.made("/api/v1/users", system_admin("boss"))
    body = {"username": "boss", "password": PASSWORD}

    answer = await api.with_credential(None).call("POST", SESSION, body, headers={"X-Forwarded-Proto": "https, http"})

    assert all("Secure" in line for line in answer.headers.getall("Set-Cookie"))
