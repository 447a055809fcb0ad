"""Log-in, the session cookie, CSRF, how long a session lasts, and the throttle on guessing."""

import asyncio

import pytest

from sms_config.access.auth import digest
from sms_config.model.records import Ticket
from tests.config.people import COOKIE, SESSION, Browser, system_admin, tenant_admin
from tests.config.world import PASSWORD, make_settings

pytestmark = pytest.mark.loopback


async def test_log_in_gives_a_session_that_tells_who_it_is(api, acme, clock, store):
    made = await api.made("/api/v1/users", tenant_admin("Ann", "acme"))
    browser = Browser(api)

    answer = await browser.log_in("aNN")

    assert answer.status == 201
    assert answer.json["user"] == made | {"last_login_at": None}
    assert (answer.json["tenants"], answer.json["tenant_count"]) == ([{"id": "acme", "name": "Acme"}], 1)
    who = await browser.get(SESSION)
    assert who.json["csrf_token"] == answer.json["csrf_token"] == browser.csrf
    assert who.json["user"]["last_login_at"] == "2026-03-01T12:00:00Z"
    assert browser.cookie is not None
    assert list(store.tickets) == [digest(browser.cookie)]
    assert browser.cookie not in answer.text


@pytest.mark.parametrize(
    ("settings", "headers", "secure"),
    [
        ({}, {}, False),
        ({"portal_url": "https://admin.example.com"}, {}, True),
        ({}, {"X-Forwarded-Proto": "https"}, True),
        ({}, {"X-Forwarded-Proto": "http"}, False),
    ],
    ids=["plain", "portal over TLS", "TLS ends at the proxy", "proxy without TLS"],
)
async def test_the_cookie_is_for_this_site_and_no_script(serve, settings, headers, secure):
    api = await serve(make_settings(**settings))
    await api.made("/api/v1/users", system_admin("boss"))

    body = {"username": "boss", "password": PASSWORD}
    answer = await api.with_credential(None).call("POST", SESSION, body, headers=headers)

    name, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert name.startswith(COOKIE + "=")
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Strict"} | ({"Secure"} if secure else set())


@pytest.mark.parametrize(
    ("username", "password"),
    [("boss", "wrong password"), ("nobody", PASSWORD), ("gone", PASSWORD), ("", ""), ("boss", ""), ("b\0ss", "x")],
    ids=["wrong password", "unknown", "disabled", "empty", "no password", "control character"],
)
async def test_a_wrong_log_in_never_says_what_was_wrong(api, boss, browser, username, password):
    await api.made("/api/v1/users", system_admin("gone", disabled=True))

    answer = await browser.log_in(username, password)

    assert (answer.status, answer.json["code"]) == (401, "log_in_failed")
    assert answer.json["message"] == "The user name or the password is wrong."
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"username", "password"}),
        ({"username": 1, "password": "x"}, {"username"}),
        ({"username": "x" * 257, "password": "x" * 1025}, {"username", "password"}),
        ({"username": "boss", "password": PASSWORD, "remember": True}, {"remember"}),
    ],
)
async def test_a_log_in_of_the_wrong_form_is_told(browser, body, fields):
    answer = await browser.call("POST", SESSION, body)

    assert (answer.status, set(answer.field_errors())) == (422, fields)


async def test_a_form_of_another_site_cannot_log_in(browser):
    answer = await browser._anyone.call("POST", SESSION, data={"username": "boss", "password": PASSWORD})

    assert answer.status == 415


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": "\u00e9"}],
    ids=["none", "empty", "wrong", "not ascii"],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/tenants"),
        ("PATCH", "/api/v1/tenants/acme"),
        ("PUT", "/api/v1/tenants/acme"),
        ("DELETE", "/api/v1/tenants/acme"),
        ("DELETE", SESSION),
    ],
)
async def test_every_change_by_a_session_needs_its_token(api, acme, boss, method, path, headers):
    boss.csrf = ""

    answer = await boss.call(method, path, {"name": "Forged"} if method in {"POST", "PUT", "PATCH"} else None, headers)

    assert (answer.status, answer.json["code"]) == (403, "csrf_refused")
    assert (await api.get("/api/v1/tenants")).json["items"] == [acme]


async def test_the_token_of_one_session_is_worth_nothing_in_another(api, boss):
    other = Browser(api)
    await other.log_in("boss")
    other.csrf = boss.csrf

    assert (await other.call("POST", "/api/v1/tenants", {"name": "x"})).status == 403


async def test_reading_needs_no_csrf_token_and_an_api_key_needs_none_at_all(api, boss):
    boss.csrf = ""

    assert (await boss.get("/api/v1/tenants")).status == 200
    assert (await api.call("POST", "/api/v1/tenants", {"name": "x"})).status == 201


async def test_changes_are_audited_under_the_persons_name(boss):
    made = await boss.call("POST", "/api/v1/tenants", {"name": "Acme", "id": "acme"})
    record = (await boss.get("/api/v1/audit?kind=tenants")).json["items"][0]

    assert made.status == 201
    assert (record["actor_name"], record["object_id"]) == ("boss", "acme")
    assert record["actor"] == made.json["created_by"]


async def test_a_session_ends_12_hours_after_its_last_use(boss, clock):
    clock.pass_time(hours=11, minutes=59)
    assert (await boss.get(SESSION)).json["expires_at"] == "2026-03-02T11:59:00Z"
    clock.pass_time(hours=11, minutes=59)
    assert (await boss.get("/api/v1/tenants")).status == 200
    clock.pass_time(hours=12)

    answer = await boss.get("/api/v1/tenants")
    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
    assert (await boss.get(SESSION)).status == 401


async def test_a_busy_session_is_written_once_a_minute(boss, clock, store):
    def end():
        return next(iter(store.tickets.values())).expires_at.isoformat()

    begun = end()
    clock.pass_time(seconds=59)
    await boss.get("/api/v1/tenants")
    assert end() == begun
    clock.pass_time(seconds=1)
    await boss.get("/api/v1/tenants")
    assert end() == "2026-03-02T00:01:00+00:00"


async def test_log_out_ends_the_session_and_takes_the_cookie(boss):
    answer = await boss.call("DELETE", SESSION)

    assert answer.status == 204
    assert f'{COOKIE}=""' in answer.headers["Set-Cookie"]
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert (await boss.get("/api/v1/tenants")).status == 401
    assert (await boss.call("DELETE", SESSION)).status == 401


@pytest.mark.parametrize("cookie", ["x", "x" * 4000, "a%00b", "\u00e9"], ids=["wrong", "long", "escape", "not ascii"])
async def test_a_made_up_cookie_opens_nothing(browser, cookie):
    browser.cookie = cookie

    assert [(await browser.get(path)).status for path in (SESSION, "/api/v1/tenants")] == [401, 401]


async def test_a_set_up_ticket_is_no_session(browser, store, clock):
    store.tickets[digest("t")] = Ticket(
        id=digest("t"), purpose="set_up", created_at=clock(), expires_at=clock().replace(hour=23)
    )
    browser.cookie = "t"

    assert (await browser.get(SESSION)).status == 401


async def test_a_key_in_the_header_wins_over_a_cookie(boss):
    answer = await boss.get("/api/v1/tenants", Authorization="Bearer wrong")

    assert answer.status == 401


class TestTenants:
    async def test_a_tenant_administrator_sees_its_own_tenant_only(self, api, ann, trunk):
        await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})
        theirs = await api.made("/api/v1/trunks", {"name": "T", "brand": "Bandwidth", "tenant_id": "globex"})

        assert [t["id"] for t in (await ann.get("/api/v1/trunks")).json["items"]] == [trunk["id"]]
        assert (await ann.get(f"/api/v1/trunks/{theirs['id']}")).status == 404
        assert (await ann.call("POST", "/api/v1/tenants", {"name": "x"})).status == 403

    async def test_a_system_administrator_switches_into_one_tenant(self, api, boss, trunk):
        await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})
        inside = {"X-Tenant": "globex"}

        assert (await boss.get("/api/v1/trunks")).json["count"] == 1
        assert (await boss.get("/api/v1/trunks", **inside)).json["count"] == 0
        assert (await boss.get(f"/api/v1/trunks/{trunk['id']}", **inside)).status == 404
        made = await boss.call("POST", "/api/v1/trunks", {"name": "T", "brand": "Bandwidth"}, inside)
        assert (made.status, made.json["tenant_id"]) == (201, "globex")

    @pytest.mark.parametrize("tenant_id", ["globex", "nobody", ""])
    async def test_switching_into_anothers_tenant_finds_nothing(self, api, ann, tenant_id):
        await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})

        answer = await ann.get("/api/v1/trunks", **{"X-Tenant": tenant_id})

        assert (answer.status, answer.json["code"]) == (404, "not_found")

    async def test_a_key_may_switch_too(self, api, acme, key_for):
        key = await key_for("read", tenants=["acme"])

        assert (await key.get("/api/v1/trunks", headers={"X-Tenant": "acme"})).status == 200
        assert (await key.get("/api/v1/trunks", headers={"X-Tenant": "globex"})).status == 404


class TestGuessing:
    async def test_a_name_is_shut_for_a_while_after_10_wrong_passwords_even_for_the_right_one(self, boss, clock, api):
        guesser = Browser(api)
        assert [(await guesser.log_in("boss", f"wrong {n}")).status for n in range(10)] == [401] * 10

        refused = await guesser.log_in("BOSS")

        assert (refused.status, refused.json["code"]) == (429, "too_many_failures")
        assert refused.headers["Retry-After"] == "901"
        assert refused.json["message"] == "Too many failed log-ins; try again in 901 seconds."
        assert (await boss.get(SESSION)).status == 200
        clock.pass_time(minutes=15)
        assert (await guesser.log_in("boss")).status == 201

    async def test_unknown_names_are_counted_like_known_ones(self, browser):
        answers = [(await browser.log_in("nobody", PASSWORD)).status for _ in range(11)]

        assert answers == [401] * 10 + [429]

    async def test_an_address_is_shut_after_20_failures_with_any_names(self, boss, api, clock):
        guesser = Browser(api)
        assert [(await guesser.log_in(f"user{n}", "wrong")).status for n in range(21)] == [401] * 20 + [429]

        assert (await guesser.log_in("boss")).status == 429
        clock.pass_time(minutes=5)
        assert (await guesser.log_in("boss")).status == 201

    async def test_guesses_made_at_once_are_all_counted(self, boss, api):
        guesser = Browser(api)

        answers = await asyncio.gather(*(guesser.log_in("boss", f"wrong {n}") for n in range(15)))

        assert sorted(answer.status for answer in answers) == [401] * 10 + [429] * 5

    async def test_the_right_password_is_no_failure(self, boss, api):
        again = Browser(api)

        assert [(await again.log_in("boss")).status for _ in range(25)] == [201] * 25


async def test_while_the_store_is_away_it_says_so(boss, store):
    store.away = True

    assert (await boss.get(SESSION)).status == 503
    assert (await boss.log_in("boss")).status == 503
