"""A browser that logged in before is let in while others guess, and its cookie does nothing else."""

import pytest

from tests.config.people import SESSION, Browser, guess, log_in, system_admin
from tests.config.world import PASSWORD, make_settings

pytestmark = pytest.mark.loopback


async def test_a_browser_that_was_here_before_is_let_in_whatever_strangers_do(serve):
    api = await serve(make_settings())
    await api.made("/api/v1/users", system_admin("boss"))
    known = Browser(api)
    assert (await known.log_in("boss")).status == 201
    assert (await known.call("DELETE", SESSION)).status == 204
    known.cookie = None

    assert await guess(api, 30, {}) == {401, 429}

    assert await log_in(api, {}) == 429
    assert (await known.log_in("boss")).status == 201
    assert [(await known.log_in("boss", f"wrong {n}")).status for n in range(11)] == [401] * 10 + [429]


async def test_many_browsers_that_were_here_before_do_not_make_a_crowd_that_guesses(serve):
    """Who had a password once may have collected cookies with it; they must not help to find the next one."""
    api = await serve(make_settings())
    await api.made("/api/v1/users", system_admin("boss"))
    browsers = [Browser(api) for _ in range(8)]
    for browser in browsers:
        assert (await browser.log_in("boss")).status == 201

    tried = [(await browser.log_in("boss", f"wrong {n}")).status for n in range(10) for browser in browsers]
    assert (tried.count(401), tried.count(429)) == (60, 20)  # 50 as browsers known here, and 10 as anybody from there


@pytest.mark.parametrize("spoiled", ["", "x", "a.b.c", "k1.{1}.{2}", "{0}.other.{2}", "{0}.{1}.AAAA", "{0}.{1}.{2}x"])
async def test_a_made_up_browser_is_no_browser_that_was_here(serve, spoiled):
    api = await serve(make_settings())
    for name in ("boss", "other"):
        await api.made("/api/v1/users", system_admin(name))
    known = Browser(api)
    assert (await known.log_in("other")).status == 201
    assert known.device is not None
    known.device = spoiled.format(*known.device.split("."))
    known.cookie = None

    assert await guess(api, 10, {}) == {401}
    assert (await known.log_in("boss")).status == 429


async def test_a_browser_is_known_for_half_a_year(serve, clock):
    api = await serve(make_settings())
    await api.made("/api/v1/users", system_admin("boss"))
    known = Browser(api)
    await known.log_in("boss")
    known.cookie = None
    clock.pass_time(days=181)

    await guess(api, 10, {})
    assert (await known.log_in("boss")).status == 429


async def test_the_cookie_of_a_browser_opens_nothing_and_is_seen_by_no_script(serve):
    api = await serve(make_settings(portal_url="https://sms-admin.example.com"))
    await api.made("/api/v1/users", system_admin("boss"))
    answer = await api.with_credential(None).call("POST", SESSION, {"username": "boss", "password": PASSWORD})
    device = next(line for line in answer.headers.getall("Set-Cookie") if line.startswith("sms_device="))

    assert {"HttpOnly", "Secure", "SameSite=Strict", f"Path={SESSION}"} <= set(device.split("; "))
    opened = await api.with_credential(None).call("GET", SESSION, headers={"Cookie": device.split(";")[0]})
    assert opened.status == 401
