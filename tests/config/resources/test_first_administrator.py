"""The first administrator: from the environment or by a link that is printed once, works once and for an hour."""

import asyncio
import re

import pytest
from pydantic import SecretStr, ValidationError

from sms_config.model.problems import SetUpClosed
from sms_config.model.records import AuditRecord, UserRecord
from sms_config.resources.changes import Changes
from sms_config.resources.first_administrator import FirstAdministrator
from sms_config.resources.sessions import Sessions
from sms_config.resources.users import Users
from sms_config.startup import Startup
from tests.config.people import Browser, system_admin
from tests.config.world import PASSWORD, make_settings, quick_passwords

SET_UP = "/api/v1/set-up"


@pytest.fixture
def told():
    return []


@pytest.fixture
def first(store, clock):
    users = Users(store, Changes(store, lambda: None, clock), quick_passwords())
    return FirstAdministrator(store, users, Sessions(store, clock), clock, "https://admin.example.com")


@pytest.fixture
async def token(first, told):
    await first.prepare("admin", None, told.append)
    return told[0].rpartition("/")[2]


async def test_with_a_password_the_user_is_made_and_nothing_is_printed(first, told, store):
    await first.prepare("admin", SecretStr(PASSWORD), told.append)
    await first.prepare("other", SecretStr(PASSWORD), told.append)

    (user,) = store.records[UserRecord].values()
    assert (user.name, user.role, user.tenant_id) == ("admin", "system_admin", None)
    assert await quick_passwords().matches(SecretStr(PASSWORD), user.password_hash)
    assert told == []
    (record,) = store.records[AuditRecord].values()
    assert (record.actor, record.kind, record.action) == ("set-up", "users", "created")


async def test_without_one_a_link_is_printed_while_there_is_no_user(first, told, store):
    await first.prepare("admin", None, told.append)
    await first.prepare("admin", None, told.append)
    assert len(told) == 2
    assert re.search(r"within one hour: https://admin\.example\.com/#/set-up/[A-Za-z0-9_-]{43}$", told[0])
    assert told[0].rpartition("/")[2] not in str(store.tickets)

    await first.prepare("admin", SecretStr(PASSWORD), told.append)
    await first.prepare("admin", None, told.append)
    assert len(told) == 2


async def test_of_two_processes_that_start_at_once_one_makes_the_user_and_both_start(first, told, store):
    await asyncio.gather(*(first.prepare("admin", SecretStr(PASSWORD), told.append) for _ in range(2)))

    assert len(store.records[UserRecord]) == 1
    assert told == []


async def test_nothing_is_served_before_the_first_user_is_seen_to(first, store, told):
    store.away = True

    async def then() -> None:
        await first.prepare("admin", None, told.append)

    startup = Startup(store, make_settings().keys, retry=0, then=then)
    preparing = asyncio.create_task(startup.prepare())
    await store.refused.wait()
    assert (startup.waiting_for(), told) == ("The store is away.", [])
    store.away = False
    await preparing

    assert startup.waiting_for() is None
    assert len(told) == 1


@pytest.mark.loopback
class TestLink:
    async def set_up(self, browser: Browser, token: str, **values):
        body = {"token": token, "name": "root", "password": PASSWORD, **values}
        return await browser.call("POST", SET_UP, body)

    async def test_it_makes_the_user_and_logs_in(self, browser, token):
        answer = await self.set_up(browser, token)

        assert answer.status == 201, answer.text
        assert (answer.json["user"]["name"], answer.json["user"]["role"]) == ("root", "system_admin")
        browser.take(answer)
        assert (await browser.call("POST", "/api/v1/tenants", {"name": "Acme"})).status == 201

    async def test_it_works_once(self, browser, token):
        first = await self.set_up(browser, token)
        second = await self.set_up(browser, token, name="intruder")

        assert (first.status, second.status, second.json["code"]) == (201, 403, "set_up_closed")

    async def test_of_two_at_once_one_makes_a_user(self, browser, token, store):
        answers = await asyncio.gather(*(self.set_up(browser, token, name=f"root{n}") for n in range(3)))

        assert sorted(answer.status for answer in answers) == [201, 403, 403]
        assert len(store.records[UserRecord]) == 1

    async def test_it_works_for_an_hour(self, browser, token, clock):
        clock.pass_time(minutes=60)

        assert (await self.set_up(browser, token)).json["code"] == "set_up_closed"

    async def test_it_is_closed_once_there_is_a_user(self, api, browser, token):
        await api.made("/api/v1/users", system_admin("boss"))

        assert (await self.set_up(browser, token)).status == 403

    @pytest.mark.parametrize("wrong", ["", "x", "x" * 43, "x" * 128, "x" * 129])
    async def test_a_made_up_token_opens_nothing(self, browser, token, wrong, store):
        assert (await self.set_up(browser, wrong)).status == (422 if len(wrong) > 128 else 403)
        assert store.records[UserRecord] == {}

    async def test_a_session_is_no_set_up_link(self, boss, browser):
        assert (await self.set_up(browser, boss.cookie)).status == 403

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"password": "short"}, "password"),
            ({"name": "a b"}, "name"),
            ({"name": "twelveletters", "password": "TwelveLetters"}, "password"),
            ({"role": "system_admin"}, "role"),
        ],
    )
    async def test_bad_input_leaves_the_link_open(self, browser, token, values, field):
        refused = await self.set_up(browser, token, **values)
        done = await self.set_up(browser, token)

        assert (refused.status, set(refused.field_errors())) == (422, {field})
        assert done.status == 201


async def test_without_a_ticket_nothing_is_set_up(first):
    caller = type("C", (), {"address": None, "request_id": "r"})()
    with pytest.raises(SetUpClosed):
        await first.set_up({"token": "x", "name": "root", "password": PASSWORD}, caller)


@pytest.mark.parametrize(
    "values",
    [
        {"first_admin_password": "short"},
        {"first_admin": "a b"},
        {"first_admin": "LongEnoughName", "first_admin_password": "longenoughname"},
        {"dispatcher_url": "not a url"},
        {"portal_url": "https://x/?a=b"},
        {"dispatcher_read_token": "short"},
    ],
)
def test_settings_that_cannot_be_are_refused(values):
    with pytest.raises(ValidationError):
        make_settings(**values)


def test_the_portal_is_where_the_service_listens_unless_it_is_told():
    assert make_settings().portal == "http://127.0.0.1:8081"
    assert make_settings(host="0.0.0.0", port=1).portal == "http://127.0.0.1:1"
    assert make_settings(portal_url="https://admin.example.com/").portal == "https://admin.example.com"
