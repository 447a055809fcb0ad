"""A dispatcher that is away, refuses or cannot be understood is told in words."""

import pytest

from tests.config.fake_dispatcher import MESSAGES, TOKEN, Dispatcher, served
from tests.config.world import make_settings

pytestmark = pytest.mark.loopback


@pytest.fixture
def dispatcher():
    return Dispatcher()


@pytest.fixture
async def settings(dispatcher):
    async with served(dispatcher) as url:
        yield make_settings(dispatcher_url=url, dispatcher_read_token=TOKEN)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((503, '{"code": "store_unavailable"}'), "cannot answer now"),
        ((500, "oops"), "cannot answer now"),
        ((200, "not json"), "cannot be reached now"),
        ((200, '{"count": "many", "items": []}'), "could not be understood"),
        ((200, "[]"), "could not be understood"),
        ((200, '{"count": 1, "items": [{"id": "m"}]}'), "could not be understood"),
    ],
    ids=["its store is away", "it fails", "not json", "no count", "a list", "no record"],
)
async def test_a_dispatcher_that_cannot_tell_is_a_503_in_words(ann, dispatcher, answer, said):
    dispatcher.answer = answer

    page = await ann.get(MESSAGES)

    assert (page.status, page.json["code"], page.headers["Retry-After"]) == (503, "history_unavailable", "5")
    assert said in page.json["message"]


async def test_a_record_of_another_form_is_a_503(ann, dispatcher):
    dispatcher.answer = (200, '{"id": "m1"}')

    assert (await ann.get(f"{MESSAGES}/m1")).status == 503


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"dispatcher_read_token": None}, "is not set up"),
        ({"dispatcher_read_token": "another-token-of-16"}, "refuses this service"),
        ({"dispatcher_url": "http://127.0.0.1:9"}, "cannot be reached now"),
    ],
    ids=["no token", "wrong token", "away"],
)
async def test_what_is_wrong_with_the_connection_is_said(serve, dispatcher, values, said):
    async with served(dispatcher) as url:
        given = {"dispatcher_url": url, "dispatcher_read_token": TOKEN, **values}
        api = await serve(make_settings(**given))
        await api.made("/api/v1/tenants", {"id": "acme", "name": "Acme"})

        answer = await api.get(f"{MESSAGES}?tenant_id=acme")

    assert (answer.status, answer.json["code"]) == (503, "history_unavailable")
    assert said in answer.json["message"]
