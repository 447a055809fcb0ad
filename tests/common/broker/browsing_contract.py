"""What looking into queues has to do, as tests: they run against the broker in memory and against RabbitMQ."""

from dataclasses import replace
from typing import Any

import pytest

from sms_common.broker import Broker, Outgoing, dead_letter
from sms_common.errors import Code, Unavailable
from sms_common.topology import DEAD, DEFAULT_EXCHANGE, OUTBOUND, UNROUTED, Topology, base, lane, lane_queue
from tests.common.broker.broker_contract import Inbox, everything_in, request


def letter(number: int) -> Outgoing:
    return dead_letter(
        b"body %d" % number,
        Code.HANDLER_FAILED,
        "It failed.",
        source=OUTBOUND,
        routing_key="sms.outbound.acme",
        type="sms.outbound.v1",
        message_id=f"m{number}",
    )


async def ids_in(broker: Broker, queue: str) -> list[str]:
    return [got.message_id or "" for got in await everything_in(broker, queue)]


class BrowsingContract:
    async def test_what_is_looked_at_goes_back(self, broker: Broker) -> None:
        for number in range(3):
            await broker.publish(letter(number))
        async with broker.browse(DEAD, limit=10) as held:
            seen = [one.delivery for one in held]
        assert [(got.message_id, got.queue) for got in seen] == [("m0", DEAD), ("m1", DEAD), ("m2", DEAD)]
        assert (seen[0].body, seen[0].type, seen[0].headers["x-code"]) == (
            b"body 0",
            "sms.outbound.v1",
            "handler_failed",
        )
        assert sorted(await ids_in(broker, DEAD)) == ["m0", "m1", "m2"]

    async def test_what_is_removed_is_gone_and_the_rest_is_not(self, broker: Broker) -> None:
        for number in range(3):
            await broker.publish(letter(number))
        async with broker.browse(DEAD, limit=10) as held:
            await held[1].remove()
        assert sorted(await ids_in(broker, DEAD)) == ["m0", "m2"]

    async def test_no_more_are_held_than_asked_for(self, broker: Broker) -> None:
        for number in range(3):
            await broker.publish(letter(number))
        async with broker.browse(DEAD, limit=2) as held:
            assert [one.delivery.message_id for one in held] == ["m0", "m1"]
            async with broker.browse(DEAD, limit=2) as others:
                assert [one.delivery.message_id for one in others] == ["m2"]

    @pytest.mark.parametrize(
        ("budget", "ids"),
        [(1, ["m0"]), (6, ["m0"]), (7, ["m0", "m1"]), (12, ["m0", "m1"]), (18, ["m0", "m1", "m2"]), (None, "all")],
        ids=str,
    )
    async def test_no_more_are_held_once_they_have_so_many_bytes(
        self, broker: Broker, budget: int | None, ids: list[str] | str
    ) -> None:
        for number in range(4):
            await broker.publish(letter(number))
        async with broker.browse(DEAD, limit=10, budget=budget) as held:
            seen = [one.delivery.message_id for one in held]
        assert seen == (["m0", "m1", "m2", "m3"] if ids == "all" else ids)
        assert sorted(await ids_in(broker, DEAD)) == ["m0", "m1", "m2", "m3"]

    async def test_an_empty_queue_has_nothing_to_look_at(self, broker: Broker) -> None:
        async with broker.browse(UNROUTED, limit=5) as held:
            assert list(held) == []

    async def test_a_failure_while_looking_loses_nothing(self, broker: Broker) -> None:
        await broker.publish(letter(1))
        with pytest.raises(ZeroDivisionError):
            async with broker.browse(DEAD, limit=5):
                raise ZeroDivisionError
        assert await ids_in(broker, DEAD) == ["m1"]

    async def test_a_queue_that_does_not_exist_cannot_be_looked_into(self, broker: Broker) -> None:
        with pytest.raises(Unavailable, match="The broker refused"):
            async with broker.browse(lane_queue("nobody"), limit=1):
                pass

    async def test_the_topology_of_a_gateway_is_all_there(self, broker: Broker) -> None:
        survey = await broker.survey(base())
        assert survey.missing == ()
        assert set(survey.queues) == {queue.name for queue in base().queues}
        assert {(counts.waiting, counts.consumers) for counts in survey.queues.values()} == {(0, 0)}

    async def test_what_is_not_there_is_named_and_not_made(self, broker: Broker) -> None:
        wanted = Topology(
            exchanges=(replace(base().exchanges[0], name="sms.nowhere"), *base().exchanges),
            queues=(*lane("nobody").queues, *base().queues),
        )
        for _ in range(2):
            survey = await broker.survey(wanted)
            assert survey.missing == ("sms.nowhere", lane_queue("nobody"))
            assert lane_queue("nobody") not in survey.queues

    async def test_a_survey_counts_what_waits_and_who_reads(self, broker: Broker) -> None:
        await broker.declare(lane("c1"))
        await broker.publish(letter(1))
        await broker.consume(lane_queue("c1"), Inbox(), prefetch=1)
        await broker.publish(replace(request(), exchange=DEFAULT_EXCHANGE, routing_key=OUTBOUND))
        topology = Topology(queues=(*base().queues, *lane("c1").queues))
        queues: Any = (await broker.survey(topology)).queues
        assert queues[lane_queue("c1")].consumers == 1
        assert (queues[DEAD].waiting, queues[OUTBOUND].waiting, queues[OUTBOUND].consumers) == (1, 1, 0)
