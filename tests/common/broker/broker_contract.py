"""What every broker has to do, as tests: they run against the one in memory and against RabbitMQ, so that tests which
use the first hold for the second.

A test module inherits from BrokerContract and gives it two fixtures: `broker`, ready and with the base topology, and
`pass_time`, a coroutine function that lets so many seconds pass for the retry ladder.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sms_common.broker import Broker, Delivery, GiveBack, Outgoing, RetryLater, Unroutable, dead_letter
from sms_common.broker.headers import (
    ATTEMPT,
    CODE,
    DEAD_AT,
    ORIGIN_KEY,
    REASON,
    ROUTING_KEY,
    SOURCE_QUEUE,
    TRACEPARENT,
    trace_of,
)
from sms_common.errors import Code, PermanentFailure, TemporaryFailure, Unavailable, UnreadableEvent
from sms_common.topology import (
    CARRIER,
    CONFIG_CHANGES,
    DEAD,
    DEFAULT_EXCHANGE,
    OUTBOUND,
    RETRY_LADDER,
    SMS,
    UNROUTED,
    Binding,
    Queue,
    Topology,
    carrier_key,
    config_key,
    lane,
    lane_queue,
    outbound_key,
)

PassTime = Callable[[float], Awaitable[None]]

PATIENCE = 10.0
KEY = outbound_key("acme")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def request(message_id: str = "m1", body: bytes = b'{"text":"hi"}') -> Outgoing:
    """An outbound request as a PBX publishes it."""
    return Outgoing(SMS, KEY, body, "sms.outbound.v1", message_id)


def from_ladder(attempt: int, message_id: str = "m1") -> Outgoing:
    """A message as it comes back from its `attempt`-th retry."""
    message = replace(request(message_id), exchange=DEFAULT_EXCHANGE, routing_key=OUTBOUND)
    return replace(message, headers={ATTEMPT: attempt, ORIGIN_KEY: KEY})


class Inbox:
    """A handler that keeps what it gets. `failure` is raised for the first `times` deliveries."""

    def __init__(self, failure: Exception | None = None, times: int = 1) -> None:
        self._failure = failure
        self._times = times
        self._deliveries: asyncio.Queue[Delivery] = asyncio.Queue()

    async def __call__(self, delivery: Delivery) -> None:
        """Take a delivery, or fail."""
        self._deliveries.put_nowait(delivery)
        if self._failure is not None and self._times > 0:
            self._times -= 1
            raise self._failure

    async def next(self) -> Delivery:
        """The next delivery. Raises TimeoutError when none comes."""
        async with asyncio.timeout(PATIENCE):
            return await self._deliveries.get()

    @property
    def empty(self) -> bool:
        """Whether nothing has come that was not asked for."""
        return self._deliveries.empty()


async def everything_in(broker: Broker, queue: str) -> list[Delivery]:
    """Take all messages out of `queue`: those before a marker, which is published last."""
    inbox = Inbox()
    await broker.publish(Outgoing(DEFAULT_EXCHANGE, queue, b"", "marker", f"marker-{queue}"))
    subscription = await broker.consume(queue, inbox, prefetch=1)
    found: list[Delivery] = []
    while (delivery := await inbox.next()).type != "marker":
        found.append(delivery)
    await subscription.cancel()
    return found


async def complaint(broker: Broker, holds: Callable[[str | None], bool], seconds: float = PATIENCE) -> str | None:
    """The broker's complaint once it `holds`. Raises TimeoutError, with the last complaint as a note."""
    last = None
    try:
        async with asyncio.timeout(seconds):
            while not holds(last := broker.check()):  # noqa: ASYNC110  # it is a question, not an event
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        error.add_note(f"the last complaint: {last}")
        raise
    return last


async def until_well(broker: Broker) -> None:
    """Return once the broker has no complaint."""
    await complaint(broker, lambda said: said is None)


async def until_unwell(broker: Broker) -> None:
    """Return once the broker has noticed that something is wrong."""
    await complaint(broker, lambda said: said is not None, seconds=20)


class BrokerContract:
    """The tests."""

    # -- publishing

    async def test_a_message_reaches_the_queue_bound_to_its_key_with_all_its_properties(self, broker: Broker) -> None:
        inbox = Inbox()
        await broker.consume(OUTBOUND, inbox, prefetch=1)
        sent = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
        message = replace(
            request(), correlation_id="c1", headers={"x-mine": "a", "x-count": 7, TRACEPARENT: TRACE}, timestamp=sent
        )
        await broker.publish(message)
        got = await inbox.next()
        assert got == Delivery(
            queue=OUTBOUND,
            routing_key=KEY,
            body=message.body,
            type="sms.outbound.v1",
            message_id="m1",
            correlation_id="c1",
            timestamp=sent,
            content_type="application/json",
            headers={"x-mine": "a", "x-count": 7, TRACEPARENT: TRACE},
        )

    async def test_the_default_exchange_reaches_a_queue_by_its_name(self, broker: Broker) -> None:
        await broker.publish(replace(request(), exchange=DEFAULT_EXCHANGE, routing_key=OUTBOUND))
        assert [got.routing_key for got in await everything_in(broker, OUTBOUND)] == [OUTBOUND]

    async def test_a_queue_that_does_not_exist_is_unroutable_on_the_default_exchange(self, broker: Broker) -> None:
        with pytest.raises(Unroutable) as caught:
            await broker.publish(replace(request(), exchange=DEFAULT_EXCHANGE, routing_key=lane_queue("nobody")))
        assert caught.value.code is Code.BROKER_UNAVAILABLE

    async def test_of_two_unroutable_messages_with_one_id_at_once_neither_counts_as_confirmed(
        self, broker: Broker
    ) -> None:
        message = replace(request(), exchange=DEFAULT_EXCHANGE, routing_key=lane_queue("nobody"))
        results = await asyncio.gather(*(broker.publish(message) for _ in range(20)), return_exceptions=True)
        assert {type(result) for result in results} == {Unroutable}

    async def test_what_nobody_is_bound_to_receive_is_parked(self, broker: Broker) -> None:
        await broker.publish(replace(request(), routing_key="sms.inbound.nobody.13125550100"))
        (parked,) = await everything_in(broker, UNROUTED)
        assert (parked.routing_key, parked.body) == ("sms.inbound.nobody.13125550100", request().body)

    async def test_an_exchange_that_does_not_exist_is_unavailable(self, broker: Broker) -> None:
        with pytest.raises(Unavailable):
            await broker.publish(replace(request(), exchange="nowhere"))
        await broker.publish(request("after"))  # and the next message does not suffer

    async def test_many_at_once_all_arrive_once(self, broker: Broker) -> None:
        await asyncio.gather(*(broker.publish(request(f"m{number}")) for number in range(500)))
        got = [delivery.message_id for delivery in await everything_in(broker, OUTBOUND)]
        assert sorted(got, key=str) == sorted(f"m{number}" for number in range(500))

    # -- declaring

    async def test_declaring_again_changes_nothing(self, broker: Broker) -> None:
        await broker.declare(lane("c1"))
        await broker.publish(replace(request(), exchange=DEFAULT_EXCHANGE, routing_key=lane_queue("c1")))
        await broker.declare(lane("c1"))
        assert len(await everything_in(broker, lane_queue("c1"))) == 1

    async def test_a_binding_declared_later_takes_effect(self, broker: Broker) -> None:
        await broker.declare(
            Topology(queues=(Queue("mine", "of this test"),), bindings=(Binding(SMS, "mine", "sms.*.acme.#"),))
        )
        await broker.publish(request())
        assert len(await everything_in(broker, "mine")) == 1
        assert len(await everything_in(broker, OUTBOUND)) == 1

    # -- what a handler does decides

    async def test_returning_acknowledges(self, broker: Broker) -> None:
        inbox = Inbox()
        subscription = await broker.consume(OUTBOUND, inbox, prefetch=1)
        await broker.publish(request("m1"))
        await broker.publish(request("m2"))
        await inbox.next()
        await inbox.next()
        await subscription.cancel()
        assert await everything_in(broker, OUTBOUND) == []

    async def test_retry_later_brings_it_back_without_counting_a_failure(
        self, broker: Broker, pass_time: PassTime
    ) -> None:
        inbox = Inbox(RetryLater(0.5))
        await broker.consume(OUTBOUND, inbox, prefetch=1)
        await broker.publish(replace(request(), correlation_id="c1", headers={TRACEPARENT: TRACE}))
        first = await inbox.next()
        await pass_time(1)
        second = await inbox.next()
        assert (second.attempt, second.deferrals, second.routing_key) == (0, 1, KEY)
        for name in ("body", "type", "message_id", "correlation_id", "timestamp", "content_type"):
            assert getattr(second, name) == getattr(first, name)
        assert second.headers[TRACEPARENT] == TRACE

    async def test_a_temporary_failure_takes_the_next_rung_and_is_counted(
        self, broker: Broker, pass_time: PassTime
    ) -> None:
        inbox = Inbox(TemporaryFailure(Code.CARRIER_BUSY, "Busy."))
        await broker.consume(OUTBOUND, inbox, prefetch=1)
        await broker.publish(request())
        await inbox.next()
        await pass_time(1)
        back = await inbox.next()
        assert (back.attempt, back.deferrals, back.routing_key) == (1, 0, KEY)

    async def test_a_temporary_failure_after_the_last_rung_is_a_dead_letter(self, broker: Broker) -> None:
        inbox = Inbox(TemporaryFailure(Code.CARRIER_BUSY, "Busy."))
        await broker.consume(OUTBOUND, inbox, prefetch=1)
        await broker.publish(from_ladder(len(RETRY_LADDER)))
        await inbox.next()
        (dead,) = await self._dead(broker, 1)
        assert dead.headers[CODE] == "retries_exhausted"
        assert dead.headers[REASON] == "carrier_busy: Busy."

    async def test_an_unreadable_event_is_a_dead_letter_with_its_reason_and_its_body_as_it_came(
        self, broker: Broker
    ) -> None:
        inbox = Inbox(UnreadableEvent(Code.NOT_JSON, "The body is not JSON."))
        await broker.consume(OUTBOUND, inbox, prefetch=1)
        await broker.publish(replace(request(body=b"\x00\xff{"), headers={TRACEPARENT: TRACE, "x-stranger": "gone"}))
        got = await inbox.next()
        (dead,) = await self._dead(broker, 1)
        assert dead.body == b"\x00\xff{"
        assert (dead.type, dead.message_id, dead.timestamp) == (got.type, got.message_id, got.timestamp)
        assert {name: value for name, value in dead.headers.items() if name != DEAD_AT} == {
            CODE: "not_json",
            REASON: "The body is not JSON.",
            SOURCE_QUEUE: OUTBOUND,
            ROUTING_KEY: KEY,
            TRACEPARENT: TRACE,
        }
        assert datetime.fromisoformat(str(dead.headers[DEAD_AT])).tzinfo is not None

    @pytest.mark.parametrize(
        "failure",
        [RuntimeError("secret text"), PermanentFailure(Code.CARRIER_REFUSED, "Refused."), asyncio.CancelledError()],
        ids=["any exception", "a failure the handler should have settled", "a cancellation nobody asked for"],
    )
    async def test_a_handler_that_crashes_gets_the_message_again(
        self, broker: Broker, pass_time: PassTime, failure: Exception
    ) -> None:
        inbox = Inbox(failure)
        await broker.consume(OUTBOUND, inbox, prefetch=1)
        await broker.publish(request())
        await inbox.next()
        await pass_time(1)
        back = await inbox.next()
        assert (back.attempt, back.routing_key) == (1, KEY)

    async def test_a_message_that_crashed_its_handler_too_often_is_a_dead_letter(self, broker: Broker) -> None:
        inbox = Inbox(RuntimeError("secret text"))
        await broker.consume(OUTBOUND, inbox, prefetch=1)
        await broker.publish(from_ladder(3))
        await inbox.next()
        (dead,) = await self._dead(broker, 1)
        assert dead.headers[CODE] == "handler_failed"
        assert dead.headers[REASON] == "Its handler failed 4 times, last with RuntimeError."
        assert dead.headers[ROUTING_KEY] == KEY

    async def test_unavailable_keeps_the_message_and_calls_the_handler_again(self, broker: Broker) -> None:
        inbox = Inbox(Unavailable(Code.STORE_UNAVAILABLE, "The store is away."), times=3)
        await broker.consume(OUTBOUND, inbox, prefetch=1)
        await broker.publish(request())
        got = [await inbox.next() for _ in range(4)]
        assert {(delivery.message_id, delivery.attempt) for delivery in got} == {("m1", 0)}
        assert [delivery.redelivered for delivery in got] == [False, True, True, True]

    async def test_one_bad_message_does_not_hold_up_the_good_ones(self, broker: Broker) -> None:
        done: list[str | None] = []
        finished = asyncio.Event()

        async def handler(delivery: Delivery) -> None:
            if delivery.message_id == "bad":
                raise UnreadableEvent(Code.NOT_JSON, "The body is not JSON.")
            done.append(delivery.message_id)
            if len(done) == 20:
                finished.set()

        await broker.consume(OUTBOUND, handler, prefetch=1)
        await broker.publish(request("bad"))
        for number in range(20):
            await broker.publish(request(f"m{number}"))
        async with asyncio.timeout(PATIENCE):
            await finished.wait()
        assert len(await self._dead(broker, 1)) == 1

    # -- retry headers of strangers

    async def test_retry_headers_count_only_on_the_way_back_from_the_ladder(self, broker: Broker) -> None:
        inbox = Inbox()
        await broker.consume(OUTBOUND, inbox, prefetch=1)
        await broker.publish(replace(request(), headers={ATTEMPT: 5, ORIGIN_KEY: outbound_key("victim")}))
        got = await inbox.next()
        assert (got.attempt, got.routing_key) == (0, KEY)
        assert ORIGIN_KEY not in got.headers

    # -- the trace

    async def test_what_a_handler_publishes_belongs_to_the_trace_of_what_it_handles(self, broker: Broker) -> None:
        inbox = Inbox()

        async def handler(_: Delivery) -> None:
            await broker.publish(Outgoing(SMS, carrier_key("bandwidth", "c1"), b"{}", "t", "e1"))

        await broker.consume(CARRIER, inbox, prefetch=1)
        await broker.consume(OUTBOUND, handler, prefetch=1)
        await broker.publish(replace(request(), headers={TRACEPARENT: TRACE}))
        assert (await inbox.next()).headers[TRACEPARENT] == TRACE

    async def test_a_message_without_a_trace_begins_one(self, broker: Broker) -> None:
        await broker.publish(request("m1"))
        await broker.publish(request("m2"))
        traces = {trace_of(delivery.headers) for delivery in await everything_in(broker, OUTBOUND)}
        assert len(traces) == 2
        assert None not in traces

    # -- flow and drain

    async def test_at_most_prefetch_messages_are_being_handled(self, broker: Broker) -> None:
        running = 0
        most = 0
        done = asyncio.Semaphore(0)

        async def handler(_: Delivery) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            done.release()

        await broker.consume(OUTBOUND, handler, prefetch=3)
        await asyncio.gather(*(broker.publish(request(f"m{number}")) for number in range(12)))
        async with asyncio.timeout(PATIENCE):
            for _ in range(12):
                await done.acquire()
        assert most == 3

    async def test_a_prefetch_below_one_is_refused(self, broker: Broker) -> None:
        with pytest.raises(ValueError, match="prefetch"):
            await broker.consume(OUTBOUND, Inbox(), prefetch=0)

    async def test_each_consumer_has_its_own_prefetch(self, broker: Broker) -> None:
        held = asyncio.Event()

        async def hold(_: Delivery) -> None:
            await held.wait()

        inbox = Inbox()
        await broker.consume(OUTBOUND, hold, prefetch=1)
        await broker.consume(CARRIER, inbox, prefetch=2)
        await broker.publish(request())
        await broker.publish(Outgoing(SMS, carrier_key("bandwidth", "c1"), b"{}", "t", "e1"))
        assert (await inbox.next()).message_id == "e1"
        held.set()

    async def test_a_single_active_consumer_is_followed_by_the_next(self, broker: Broker) -> None:
        await broker.declare(lane("c1"))
        first, second = Inbox(), Inbox()
        active = await broker.consume(lane_queue("c1"), first, prefetch=8)
        await broker.consume(lane_queue("c1"), second, prefetch=8)
        for number in range(4):
            await broker.publish(Outgoing(DEFAULT_EXCHANGE, lane_queue("c1"), b"{}", "t", f"m{number}"))
        assert [(await first.next()).message_id for _ in range(4)] == ["m0", "m1", "m2", "m3"]
        assert second.empty
        await active.cancel()
        await broker.publish(Outgoing(DEFAULT_EXCHANGE, lane_queue("c1"), b"{}", "t", "m4"))
        assert (await second.next()).message_id == "m4"

    async def test_cancelling_lets_running_handlers_end_and_gives_the_rest_back(self, broker: Broker) -> None:
        started = asyncio.Semaphore(0)
        held = asyncio.Event()
        ended = asyncio.Event()

        async def handler(_: Delivery) -> None:
            started.release()
            await held.wait()
            ended.set()

        subscription = await broker.consume(OUTBOUND, handler, prefetch=1)
        await broker.publish(request("m1"))
        await broker.publish(request("m2"))
        async with asyncio.timeout(PATIENCE):
            await started.acquire()
            await subscription.cancel()
            held.set()
            await ended.wait()
        assert [got.message_id for got in await everything_in(broker, OUTBOUND)] == ["m2"]

    async def test_a_reader_that_leaves_gives_back_what_it_holds_in_its_order(self, broker: Broker) -> None:
        came: list[str | None] = []
        all_came = asyncio.Event()
        leaving = asyncio.Event()
        gates = [asyncio.Event() for _ in range(4)]

        async def handler(delivery: Delivery) -> None:
            came.append(delivery.message_id)
            place = len(came)
            if place == 3:
                all_came.set()
            await leaving.wait()
            await gates[place - 1].wait()
            gates[place].set()
            raise GiveBack

        subscription = await broker.consume(OUTBOUND, handler, prefetch=3)
        for number in range(1, 6):
            await broker.publish(request(f"m{number}"))
        async with asyncio.timeout(PATIENCE):
            await all_came.wait()
            await subscription.cancel()
            leaving.set()
            gates[0].set()
            await gates[3].wait()
        assert [got.message_id for got in await everything_in(broker, OUTBOUND)] == ["m1", "m2", "m3", "m4", "m5"]

    async def test_a_drain_waits_for_running_handlers_and_acknowledges_what_they_finish(self, broker: Broker) -> None:
        started = asyncio.Event()
        finished: list[str | None] = []

        async def handler(delivery: Delivery) -> None:
            started.set()
            await asyncio.sleep(0.2)
            await broker.publish(Outgoing(SMS, carrier_key("bandwidth", "c1"), b"{}", "t", "e1"))
            finished.append(delivery.message_id)

        await broker.consume(OUTBOUND, handler, prefetch=1)
        await broker.publish(request())
        async with asyncio.timeout(PATIENCE):
            await started.wait()
            await broker.stop_consuming(5)
        assert finished == ["m1"]

    async def test_a_drain_cancels_what_does_not_end_in_time(self, broker: Broker) -> None:
        started = asyncio.Event()
        cancelled = asyncio.Event()

        async def handler(_: Delivery) -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        await broker.consume(OUTBOUND, handler, prefetch=1)
        await broker.publish(request())
        async with asyncio.timeout(PATIENCE):
            await started.wait()
            await broker.stop_consuming(0.05)
        assert cancelled.is_set()

    async def test_a_drain_does_not_wait_for_a_dependency_that_is_away(self, broker: Broker) -> None:
        inbox = Inbox(Unavailable(Code.STORE_UNAVAILABLE, "The store is away."), times=1_000)
        await broker.consume(OUTBOUND, inbox, prefetch=1)
        await broker.publish(request())
        await inbox.next()
        async with asyncio.timeout(PATIENCE):
            await broker.stop_consuming(60)

    async def test_nothing_is_consumed_after_a_drain_but_publishing_goes_on(self, broker: Broker) -> None:
        await broker.stop_consuming(1)
        with pytest.raises(Unavailable):
            await broker.consume(OUTBOUND, Inbox(), prefetch=1)
        await broker.publish(request())

    # -- listening

    async def test_every_listener_gets_its_own_copy_and_first_none(self, broker: Broker) -> None:
        one, two = _News(), _News()
        await broker.listen(CONFIG_CHANGES, one)
        await broker.listen(CONFIG_CHANGES, two)
        assert await one.next() is None
        assert await two.next() is None
        await broker.publish(Outgoing(SMS, config_key("acme", "updated"), b"{}", "sms.config.v1", "e1"))
        for news in (await one.next(), await two.next()):
            assert news is not None
            assert (news.routing_key, news.message_id) == (config_key("acme", "updated"), "e1")
        assert await everything_in(broker, UNROUTED) == []

    async def test_a_listener_that_fails_hears_the_next_news(self, broker: Broker) -> None:
        news = _News(failures=1)
        await broker.listen(CONFIG_CHANGES, news)
        assert await news.next() is None
        await broker.publish(Outgoing(SMS, config_key("acme", "updated"), b"{}", "sms.config.v1", "e1"))
        assert await news.next() is not None

    async def test_a_cancelled_listener_hears_nothing_more(self, broker: Broker) -> None:
        news = _News()
        listening = await broker.listen(CONFIG_CHANGES, news)
        assert await news.next() is None
        await listening.cancel()
        await broker.publish(Outgoing(SMS, config_key("acme", "updated"), b"{}", "sms.config.v1", "e1"))
        assert await everything_in(broker, UNROUTED) == []
        assert news.empty

    # -- health

    async def test_a_broker_that_works_has_no_complaint(self, broker: Broker) -> None:
        news = _News()
        await broker.listen(CONFIG_CHANGES, news)
        await broker.consume(OUTBOUND, Inbox(), prefetch=1)
        assert await news.next() is None
        await until_well(broker)

    async def test_a_consumer_whose_queue_is_missing_is_told_until_the_queue_is_there(self, broker: Broker) -> None:
        inbox = Inbox()
        await broker.consume(lane_queue("late"), inbox, prefetch=1)
        assert lane_queue("late") in (broker.check() or "")
        await broker.declare(lane("late"))
        await broker.publish(Outgoing(DEFAULT_EXCHANGE, lane_queue("late"), b"{}", "t", "m1"))
        assert (await inbox.next()).message_id == "m1"
        await until_well(broker)

    async def test_a_dead_letter_can_be_published_by_anybody(self, broker: Broker) -> None:
        await broker.publish(
            dead_letter(b"?", Code.WEBHOOK_UNREADABLE, "Not JSON.", source="webhook", routing_key="bandwidth")
        )
        (dead,) = await self._dead(broker, 1)
        assert (dead.body, dead.headers[CODE], dead.headers[SOURCE_QUEUE]) == (b"?", "webhook_unreadable", "webhook")

    async def _dead(self, broker: Broker, count: int) -> list[Delivery]:
        inbox = Inbox()
        subscription = await broker.consume(DEAD, inbox, prefetch=10)
        found = [await inbox.next() for _ in range(count)]
        await subscription.cancel()
        return found


class _News:
    def __init__(self, failures: int = 0) -> None:
        self._failures = failures
        self._news: asyncio.Queue[Delivery | None] = asyncio.Queue()

    async def __call__(self, news: Delivery | None) -> None:
        self._news.put_nowait(news)
        if self._failures:
            self._failures -= 1
            raise RuntimeError("this listener failed")

    async def next(self) -> Delivery | None:
        async with asyncio.timeout(PATIENCE):
            return await self._news.get()

    @property
    def empty(self) -> bool:
        return self._news.empty()
