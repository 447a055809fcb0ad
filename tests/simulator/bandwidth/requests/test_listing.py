"""GET messages: filters, pages, order, limits."""

import pytest

from tests.simulator.conftest import ACCOUNT, APPLICATION, HANDSET, OTHER_ACCOUNT, OWN, START, TOLL_FREE, account
from tests.simulator.samples import sample

PATH = f"/api/v2/users/{ACCOUNT}/messages"
MEDIA = ["https://media.example.net/a.png"]


async def listed(api, **query: str):
    status, _, body = await api.call("GET", PATH, params=query)
    assert status == 200, body
    return body


async def test_a_delivered_message_is_listed_as_the_sample(start):
    campaign = {"campaign_id": "CEXMPL1", "campaign_class": "T", "location": "EXAMPLE1"}
    api = await start(frozen=True, application=campaign)
    _, response = sample("list-messages-200")
    _, _, message = await api.send()
    await api.simulator.wait_for_attempts(1, kind="message-delivered")

    body = await listed(api, messageId=message["id"])

    [item] = body["messages"]
    assert {**item, "messageId": response["body"]["messages"][0]["messageId"]} == response["body"]["messages"][0]
    assert {**body, "messages": []} == {**response["body"], "messages": []}


async def test_too_many_calls_are_answered_as_the_sample_until_the_period_is_over(start):
    api = await start(frozen=True, list_rate_limit=2)
    _, response = sample("list-messages-429")
    for _ in range(2):
        await listed(api, messageStatus="DELIVERED")

    status, headers, body = await api.call("GET", PATH, params={"messageStatus": "DELIVERED"})

    assert (status, headers["Retry-After"], body) == (429, response["headers"]["Retry-After"], response["body"])
    api.simulator.clock.advance(300)
    await listed(api, messageStatus="DELIVERED")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"limit": "5"},
        {"nonsense": "1"},
        {"messageStatus": "LOST"},
        {"messageDirection": "in"},
        {"messageType": "fax"},
        {"errorCode": "none"},
        {"errorCode": "-1"},
        {"fromDateTime": "2026-07-10T09:00:00Z"},
        {"toDateTime": "2026-02-30T09:00:00.000Z"},
        {"sourceTn": ",".join(["+12025550143"] * 11)},
        {"sourceTn": OWN, "limit": "0"},
        {"sourceTn": OWN, "limit": "10001"},
        {"sourceTn": OWN, "limit": "many"},
        {"sourceTn": OWN, "sort": "sourceTn"},
        {"sourceTn": OWN, "sort": "colour:asc"},
        {"sourceTn": OWN, "pageToken": "!"},
        {"sourceTn": OWN, "pageToken": "eA=="},
        {"sourceTn": OWN, "pageToken": "eA"},
        {"sourceTn": OWN, "pageToken": "OTk5OQ==", "limit": "2"},
    ],
    ids=str,
)
async def test_a_query_that_cannot_be_used_is_refused(api, query):
    status, _, body = await api.call("GET", PATH, params=query)

    assert (status, body["type"]) == (400, "request-validation")


@pytest.fixture
async def busy(start):
    """Return a client of an account that has sent and received a few messages, one a second."""
    foreign = account(account_id=OTHER_ACCOUNT)
    api = await start(frozen=True, more_accounts=(foreign,), application={"numbers": []})
    await api.send(tag="sms", text="a" * 161)
    api.simulator.clock.advance(1)
    await api.send(tag="mms", media=MEDIA, to=[HANDSET, "+14045554720"])
    api.simulator.clock.advance(1)
    await api.send(tag="tf", **{"from": TOLL_FREE}, to="+442071838750")
    await api.send(tag="lost", **{"from": "72345"}, to="+14045559000")
    await api.send(tag="name", **{"from": "Acme"}, to="+14045554410")
    api.simulator.clock.advance(1)
    inbound = {"from": HANDSET, "to": OWN, "account_id": ACCOUNT, "application_id": APPLICATION}
    await api.control("POST", "/inbound", {**inbound, "text": "hi"})
    await api.control("POST", "/inbound", {**inbound, "text": "look", "media": ["a.png"]})
    await api.send(account_id=OTHER_ACCOUNT)
    await api.simulator.wait_for_attempts(3, kind="message-delivered")
    await api.simulator.wait_for_attempts(2, kind="message-failed")
    return api


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"sourceTn": OWN}, 3),
        ({"sourceTn": "+12025"}, 3),
        ({"sourceTn": "+120"}, 0),
        ({"sourceTn": f"{OWN},{TOLL_FREE}"}, 4),
        ({"destinationTn": HANDSET}, 2),
        ({"messageDirection": "OUTBOUND"}, 6),
        ({"messageDirection": "INBOUND"}, 2),
        ({"messageStatus": "RECEIVED"}, 2),
        ({"messageStatus": "QUEUED"}, 1),
        ({"messageStatus": "UNDELIVERED"}, 1),
        ({"messageStatus": "FAILED"}, 1),
        ({"errorCode": "4720"}, 1),
        ({"messageType": "mms"}, 3),
        ({"product": "TOLL_FREE"}, 1),
        ({"product": "SHORT_CODE_REACH"}, 1),
        ({"product": "ALPHA_NUMERIC"}, 1),
        ({"product": "P2P"}, 5),
        ({"calledNumberCountryA3": "USA"}, 7),
        ({"carrierName": "other"}, 8),
        ({"fromSegmentCount": "2"}, 1),
        ({"toSegmentCount": "1"}, 7),
        ({"fromMessageSize": "100"}, 1),
        ({"toMessageSize": "100"}, 4),
        ({"bwQueued": "true"}, 1),
        ({"bwQueued": "false"}, 7),
        ({"fromDateTime": "2026-07-10T09:00:02.000Z"}, 5),
        ({"toDateTime": "2026-07-10T09:00:02.000Z"}, 3),
        ({"sourceTn": OWN, "messageType": "mms", "errorCode": "4720"}, 1),
    ],
    ids=str,
)
async def test_filters_choose(busy, query, count):
    body = await listed(busy, **query)

    assert (body["totalCount"], len(body["messages"])) == (count, count)


async def test_messages_of_other_accounts_are_not_listed(busy):
    _, _, body = await busy.call("GET", f"/api/v2/users/{OTHER_ACCOUNT}/messages", params={"carrierName": "other"})

    assert [item["accountId"] for item in body["messages"]] == [OTHER_ACCOUNT]


async def test_pages_follow_their_tokens_both_ways(busy):
    first = await listed(busy, carrierName="other", limit="3")
    second = await listed(busy, carrierName="other", limit="3", pageToken=first["pageInfo"]["nextPageToken"])
    third = await listed(busy, carrierName="other", limit="3", pageToken=second["pageInfo"]["nextPageToken"])
    back = await listed(busy, carrierName="other", limit="3", pageToken=third["pageInfo"]["prevPageToken"])

    assert [len(page["messages"]) for page in (first, second, third)] == [3, 3, 2]
    assert "prevPage" not in first["pageInfo"]
    assert "nextPage" not in third["pageInfo"]
    assert back["messages"] == second["messages"]
    status, _, body = await busy.call("GET", first["pageInfo"]["nextPage"])
    assert (status, body["messages"]) == (200, second["messages"])


async def test_the_order_is_newest_first_or_as_asked(busy):
    times = [item["receiveTime"] for item in (await listed(busy, carrierName="other"))["messages"]]
    sizes = [
        item["messageSize"] for item in (await listed(busy, carrierName="other", sort="messageSize:asc"))["messages"]
    ]

    assert times == sorted(times, reverse=True)
    assert sizes[:3] == [None] * 3
    assert sizes[3:] == sorted(sizes[3:])


async def test_the_total_can_be_capped_and_old_messages_are_gone(busy):
    assert (await listed(busy, carrierName="other", limitTotalCount="true"))["totalCount"] == 8

    busy.simulator.clock.advance(14 * 86400 - 1)
    busy.authorization = None

    assert (await listed(busy, carrierName="other"))["totalCount"] == 5
    assert busy.simulator.clock.time() > START
