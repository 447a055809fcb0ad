"""What can be set over the control API."""

from tests.simulator.conftest import ACCOUNT, account


async def test_an_account_is_added_shown_masked_and_used(api, receiver):
    document = account(receiver.url).model_dump(mode="json")
    document |= {
        "account_id": "77",
        "credentials": [{"client_id": "second", "client_secret": "second-secret"}],
        "users": [],
    }

    status, shown = await api.control("PUT", "/accounts/77", document)
    api.authorization = f"Bearer {(await api.token('second', 'second-secret'))['access_token']}"

    assert (status, shown["credentials"][0]["client_secret"]) == (200, "**********")
    assert (await api.send(account_id="77"))[0] == 202
    _, accounts = await api.control("GET", "/accounts")
    assert {one["account_id"] for one in accounts} == {ACCOUNT, "77"}


async def test_the_clock_can_be_moved_over_http(start):
    api = await start(frozen=True)

    assert await api.control("POST", "/clock", {"advance": 3600}) == (200, {"time": "2026-07-10T10:00:00.123000Z"})
