"""What the networks refuse, and the order and manner of status events."""

import pytest

from carrier_simulator import InboundRequest
from tests.simulator.conftest import APPLICATION, HANDSET, OWN, TOLL_FREE, account, types

MEDIA = ["https://media.example.net/out/receipt.png"]


@pytest.mark.parametrize("media", [None, ["http://127.0.0.1:9/missing.png"]], ids=["sms", "mms-without-its-media"])
async def test_an_expired_message_fails_4360_and_is_not_sent(start, receiver, media):
    api = await start(frozen=True, changes={"rate": 1, "queue_seconds": 900})
    await api.send(tag="first")
    await api.simulator.wait_for_attempts(2, tag="first")
    await api.send(tag="waits", expiration="2026-07-10T09:00:01Z", media=media)

    api.simulator.clock.advance(1)
    event = (await receiver.events(3))[2]

    assert (event["type"], event["errorCode"]) == ("message-failed", 4360)


async def test_an_unlinked_application_accepts_and_stays_silent(start, receiver):
    api = await start(application={"linked": False})

    assert (await api.send(tag="lost"))[0] == 202
    api.simulator.put_account(account(receiver.url))
    await api.send(tag="found")
    await api.simulator.wait_for_attempts(1, tag="found", kind="message-delivered")

    assert {entry.event["message"]["tag"] for entry in receiver.received} == {"found"}


async def test_a_sender_of_nobody_fails_4407_and_one_of_another_application_4403(start, receiver):
    other = {"application_id": APPLICATION.replace("0f", "1f", 1), "numbers": ["+12025550199"]}
    mine = account(receiver.url).model_dump()["applications"][0]
    api = await start(changes={"applications": [mine, other]})

    await api.send(**{"from": "+12025550100"}, tag="nobody")
    await api.send(**{"from": "+12025550199"}, tag="other")
    await api.simulator.wait_for_attempts(2)

    codes = {entry.event["message"]["tag"]: entry.event["errorCode"] for entry in receiver.received}
    assert codes == {"nobody": 4407, "other": 4403}


async def test_an_application_without_listed_numbers_takes_any_sender(start, receiver):
    api = await start(application={"numbers": []})

    await api.send(**{"from": "+12025550100"})

    assert types(await receiver.events(2)) == ["message-sent", "message-delivered"]


async def test_urls_are_those_of_the_moment_of_delivery(start, receiver):
    api = await start(frozen=True, changes={"rate": 1, "queue_seconds": 900})
    await api.send(tag="first")
    await api.simulator.wait_for_attempts(2, tag="first")
    await api.send(tag="second")
    api.simulator.accounts.put(account(f"{receiver.url}/moved", rate=1))

    api.simulator.clock.advance(1)
    await receiver.events(3)

    assert receiver.received[2].path == "/moved/outbound"


def heard(sender: str, to: str, text: str) -> InboundRequest:
    return InboundRequest.model_validate({"from": sender, "to": to, "text": text})


@pytest.mark.parametrize(
    ("texts", "blocked"),
    [
        (["STOP"], True),
        (["stop"], True),
        (["STOP", "START"], False),
        (["Stop", "unstop"], False),
        (["STOP", " UNSTOP"], True),
        (["STOP", "please unstop"], True),
        (["STOP", "HELP"], True),
        (["please STOP"], False),
    ],
    ids=lambda value: " then ".join(value) if isinstance(value, list) else "",
)
async def test_the_toll_free_network_remembers_stop(api, receiver, texts, blocked):
    for text in texts:
        api.simulator.receive(heard(HANDSET, TOLL_FREE, text))
    await receiver.events(len(texts))

    await api.send(**{"from": TOLL_FREE}, tag="after")
    await api.simulator.wait_for_attempts(1, tag="after", kind="message-failed" if blocked else "message-delivered")

    assert [entry.event["message"]["text"] for entry in receiver.received[: len(texts)]] == texts
    assert receiver.received[-1].event.get("errorCode") == (4775 if blocked else None)


async def test_the_first_final_status_is_the_one_that_is_listed(api):
    await api.send(to="+14045559006")
    await api.simulator.wait_for_attempts(1, kind="message-delivered")

    [recipient] = api.simulator.arrivals()[0].recipients

    assert (recipient.status, recipient.error_code) == ("UNDELIVERED", 4720)


async def test_stop_holds_for_that_pair_only_and_not_for_local_numbers(api, receiver):
    api.simulator.receive(heard(HANDSET, TOLL_FREE, "STOP"))
    api.simulator.receive(heard(HANDSET, OWN, "STOP"))

    await api.send(**{"from": TOLL_FREE}, to="+14045550199", tag="other handset")
    await api.send(tag="local number")

    await api.simulator.wait_for_attempts(1, tag="other handset", kind="message-delivered")
    await api.simulator.wait_for_attempts(1, tag="local number", kind="message-delivered")


async def test_events_of_one_recipient_wait_for_the_first_try_of_the_one_before(start, receiver):
    api = await start(frozen=True, webhook_retry_delays=(60,))
    receiver.answers.append(500)
    await api.send(media=MEDIA)

    assert types(await receiver.events(3)) == ["message-sending", "message-sent", "message-delivered"]
    api.simulator.clock.advance(60)

    assert (await receiver.events(4))[3]["type"] == "message-sending"


async def test_only_the_events_an_application_asked_for_are_posted(start, receiver):
    api = await start(application={"events": ["message-delivered"]})

    await api.send(media=MEDIA)
    await api.simulator.wait_for_attempts(1, kind="message-delivered")
    await api.send(text="next")
    await receiver.events(2)

    assert [entry.event["type"] for entry in receiver.received] == ["message-delivered"] * 2
