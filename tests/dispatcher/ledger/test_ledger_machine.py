"""The life of one message under every order of events: claims, crashes, answers and receipts early, late and twice,
withdrawals, repeats, a lane that moves to another dispatcher, refusals that send it on by its next route, and time.

Whatever happens: it is not sent twice, no status the PBX is told goes backwards, the final one stays, and the message
can always still come to one.
"""

import asyncio
from collections import defaultdict
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sms_common import topology
from sms_common.broker import Outgoing
from sms_common.configuration import FailurePolicy, TenantRules
from sms_common.errors import Code, OutcomeUnknown, PermanentFailure, SendFailure, TemporaryFailure
from sms_common.events import StatusEvent
from sms_common.messages import Accepted, Status
from sms_dispatcher.lanes.lane_entries import lane_message
from tests.dispatcher.builders import HANDSET, config, receipt, request, snapshot
from tests.dispatcher.conftest import Rig
from tests.dispatcher.rules import rule as rule_for_all

SECOND = "+13125550132"
ACCEPTED = Accepted("fake-1", segments=1)
REFUSED = PermanentFailure(Code.CARRIER_REFUSED, "The carrier refused it.")
NOT_OURS = PermanentFailure(Code.CARRIER_REFUSED, "The sender is unknown here.", try_next_route=True)
NOT_SENT = TemporaryFailure(Code.CARRIER_UNREACHABLE, "The carrier cannot be reached.")
LOST = OutcomeUnknown(Code.OUTCOME_UNKNOWN, "No answer came.")
SPANS = [5, 30, 61, 61, 600, 3_600, 25 * 3_600, 101 * 3_600]


class Call:
    """One request to the carrier, answered when the machine says so."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Accepted | SendFailure] = asyncio.get_running_loop().create_future()

    @property
    def pending(self) -> bool:
        return not self.answer.done()

    @property
    def may_have_been_sent(self) -> bool:
        return self.pending or self.answer.cancelled() or self.answer.result() in (ACCEPTED, LOST)


class LifeOfAMessage(RuleBasedStateMachine):
    """Two dispatchers, each on a broker of its own, share the ledger and the carrier."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.rigs: tuple[Rig, ...] = ()  # an example may end before it has begun
        self.calls: list[Call] = []
        self.ledgers_final: Status | None = None

    @initialize(
        policy=st.sampled_from([FailurePolicy.HOLD, *FailurePolicy]),
        group=st.booleans(),
        limits=st.sampled_from(["none", "none", "held", "expires"]),
        routes=st.integers(1, 3),
        by_the_queue=st.booleans(),
    )
    def begin(self, policy: FailurePolicy, group: bool, limits: str, routes: int, by_the_queue: bool) -> None:
        self.policy = policy
        ways = [config(id=f"cfg{n}" if n else "cfg", failure_policy=policy) for n in range(routes)]
        rules = TenantRules(tenant_id="acme", outbound=(rule_for_all(*(way.id for way in ways)),))
        first = Rig()
        self.rigs = (first, Rig(first.clock, first.ledger))
        if by_the_queue:
            for rig in self.rigs:
                rig.use_the_queue()
        self.request = request(
            to=[HANDSET, SECOND] if group else HANDSET,
            group=group,
            send_after=first.clock() + timedelta(hours=1) if limits == "held" else None,
            expires_at=first.clock() + timedelta(hours=20) if limits == "expires" else None,
        )
        for rig in self.rigs:
            rig.carrier.script(HANDSET, self._call)
            self._run(rig.start(snapshot(*ways, rules=(rules,))))
        self.the_pbx_asks(0)

    async def _call(self, _: object) -> Accepted:
        call = Call()
        self.calls.append(call)
        answer = await call.answer
        if isinstance(answer, SendFailure):
            raise answer
        return answer

    def _run(self, work: Any) -> None:
        async def until_nothing_moves() -> None:
            await work
            for _ in range(40):
                await asyncio.sleep(0)

        self.loop.run_until_complete(until_nothing_moves())

    async def _publish(self, rig: Rig, key: str, body: bytes, type_: str = "") -> None:
        await rig.broker.publish(Outgoing(topology.SMS, key, body, type_, "x"))

    @property
    def entry(self) -> Any:
        return self.rigs[0].ledger.entries.get("acme/m-1") if self.rigs else None

    @property
    def pending(self) -> list[Call]:
        return [call for call in self.calls if call.pending]

    # -- what may happen

    @rule(which=st.integers(0, 1))
    def the_pbx_asks(self, which: int) -> None:
        self._run(self._publish(self.rigs[which], "sms.outbound.acme", self.request.encode()))

    @rule(which=st.integers(0, 1))
    def the_pbx_withdraws(self, which: int) -> None:
        body = b'{"message_id": "m-1", "tenant_id": "acme"}'
        self._run(self._publish(self.rigs[which], "sms.outbound.acme.cancel", body))

    @precondition(lambda self: self.pending)
    @rule(answer=st.sampled_from([ACCEPTED, REFUSED, NOT_OURS, NOT_SENT, LOST]))
    def the_carrier_answers(self, answer: Accepted | SendFailure) -> None:
        async def answering() -> None:
            self.pending[0].answer.set_result(answer)

        self._run(answering())

    @precondition(lambda self: any(call.may_have_been_sent for call in self.calls))
    @rule(
        status=st.sampled_from([Status.SENT, Status.DELIVERED, Status.FAILED]),
        recipient=st.sampled_from([HANDSET, SECOND]),
        reference=st.sampled_from(["acme/m-1", None]),
        which=st.integers(0, 1),
    )
    def a_receipt_comes(self, status: Status, recipient: str, reference: str | None, which: int) -> None:
        event = receipt(status, recipient=recipient, reference=reference)
        self._run(self._publish(self.rigs[which], "sms.carrier.fake.cfg", event.encode(), event.TYPE))

    @precondition(lambda self: self.entry is not None and self.entry.config_id is not None)
    @rule(which=st.integers(0, 1))
    def the_lane_moves(self, which: int) -> None:
        """A copy of the lane entry is delivered, here or at the other dispatcher."""
        rig = self.rigs[which]
        self._run(rig.broker.publish(lane_message(self.entry, rig.clock())))

    @precondition(lambda self: self.pending)
    @rule(which=st.integers(0, 1))
    def a_dispatcher_crashes(self, which: int) -> None:
        async def crashing() -> None:
            rig = self.rigs[which]
            aside = [task for lane in rig.lanes.owned.values() for task in lane.fast_path.sending]
            for task in [*rig.broker._tasks, *aside]:
                task.cancel()

        self._run(crashing())

    @rule(seconds=st.sampled_from(SPANS))
    def time_passes(self, seconds: float) -> None:
        async def passing() -> None:
            self.rigs[0].clock.now += timedelta(seconds=seconds)
            for rig in self.rigs:
                rig.broker.advance(seconds)

        self._run(passing())

    @rule(which=st.integers(0, 1))
    def the_clock_looks(self, which: int) -> None:
        self._run(self.rigs[which].work())

    # -- what must hold

    @invariant()
    def it_is_not_sent_twice(self) -> None:
        most = 5 if getattr(self, "policy", None) is FailurePolicy.RESEND else 1
        assert sum(call.may_have_been_sent for call in self.calls) <= most

    @invariant()
    def the_final_status_stays(self) -> None:
        status = self.entry.status if self.entry else None
        if self.ledgers_final not in {None, Status.UNDETERMINED}:
            assert status is self.ledgers_final
        if status is not None and status.final:
            self.ledgers_final = status

    @invariant()
    def nothing_the_pbx_is_told_goes_backwards(self) -> None:
        for events in self._told().values():
            by_sequence: dict[int, Status] = {}
            for event in events:
                assert by_sequence.setdefault(event.sequence, event.status) is event.status
            ranks = [by_sequence[sequence].rank for sequence in sorted(by_sequence)]
            assert ranks == sorted(ranks)
            assert sum(rank == Status.DELIVERED.rank for rank in ranks) <= 1

    def _told(self) -> dict[str, list[StatusEvent]]:
        told = defaultdict(list)
        for rig in self.rigs:
            for event in rig.statuses():
                told[event.message_id].append(event)
        return told

    def teardown(self) -> None:
        try:
            if self.entry is not None:
                self._nothing_more_happens()
        finally:
            try:
                self._stop()
            finally:
                self.loop.close()

    def _stop(self) -> None:
        for call in self.pending:
            call.answer.cancel()
        for rig in self.rigs:
            self._run(rig.broker.stop_consuming(0))

    def _nothing_more_happens(self) -> None:
        """Both dispatchers are started again, and time does the rest."""
        for which in (0, 1):
            self.a_dispatcher_crashes(which)
        for seconds in (61, 61, 600, 25 * 3_600, 61, 101 * 3_600, 61, 101 * 3_600):
            self.time_passes(seconds)
            self.the_clock_looks(0)
            self.a_dispatcher_crashes(0)
            self.a_dispatcher_crashes(1)
        assert self.entry.status.final
        assert self.entry.status in {event.status for event in self._told()["m-1"] if event.final}
        assert not self.pending

    @invariant()
    def each_route_is_left_once(self) -> None:
        if self.entry is not None and self.entry.moves:
            assert len(self.entry.next_routes) + self.entry.moves < len(self.rigs[0].snapshot().configs)


TestLifeOfAMessage = LifeOfAMessage.TestCase
TestLifeOfAMessage.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
