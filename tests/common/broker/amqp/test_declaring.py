"""What is declared again on a connection: what holds when it is done, and not what held when it began."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelAccessRefused

from sms_common import topology
from sms_common.broker.amqp import declaring
from sms_common.broker.amqp.declaring import Declarations
from sms_common.topology import Binding, Topology

CONNECTION = cast("AbstractConnection", None)
BEFORE = topology.joined((topology.pbx("east", ["acme"]), topology.pbx("west", [])))
AFTER = topology.joined((topology.pbx("east", [], ["acme"]), topology.pbx("west", ["acme"])))


class FakeBroker:
    """Channels on which things are asked for and unbound; `refused` bindings close theirs."""

    def __init__(self) -> None:
        self.channels = 0
        self.unbound: list[Binding] = []
        self.refused: set[Binding] = set()
        self.while_asked: Callable[[], None] = lambda: None

    async def open_channel(self, *_: Any, **__: Any) -> "FakeChannel":
        self.channels += 1
        return FakeChannel(self)


class FakeChannel:
    number = 1

    def __init__(self, broker: FakeBroker) -> None:
        self.broker = broker
        self.is_open = True
        self.raw = self.buffer = self

    def put(self, *_: Any) -> None:
        pass

    async def flush(self, **_: Any) -> None:
        self.broker.while_asked()

    async def queue_unbind(self, queue: str, exchange: str, key: str, **_: Any) -> None:
        binding = Binding(exchange, queue, key)
        if binding in self.broker.refused:
            self.is_open = False
            raise ChannelAccessRefused("no")
        self.broker.unbound.append(binding)

    async def close(self) -> None:
        self.is_open = False


@pytest.fixture
def broker(monkeypatch) -> FakeBroker:
    made = FakeBroker()
    monkeypatch.setattr(declaring, "open_channel", made.open_channel)
    return made


@pytest.fixture
def declarations() -> Declarations:
    made = Declarations(Topology(), timeout=1)
    made.remember(BEFORE)
    return made


async def test_a_tenant_that_moves_while_all_is_declared_again_is_not_left_with_both_pbxs(broker, declarations):
    broker.while_asked = lambda: declarations.remember(AFTER)
    await declarations.restore(CONNECTION)

    assert broker.unbound == list(AFTER.retired)


async def test_a_tenant_that_moves_back_meanwhile_keeps_its_bindings(broker, declarations):
    declarations.remember(AFTER)
    broker.while_asked = lambda: declarations.remember(BEFORE)
    await declarations.restore(CONNECTION)

    assert broker.unbound == []


async def test_many_former_bindings_are_unbound_on_one_channel(broker, declarations):
    declarations.remember(topology.pbx("east", [], [f"t{n}" for n in range(50)]))
    await declarations.restore(CONNECTION)

    assert (len(broker.unbound), broker.channels) == (100, 2)  # one to declare, and one for these


async def test_one_that_may_not_be_unbound_keeps_no_other_bound(broker, declarations):
    declarations.remember(AFTER)
    broker.refused = {AFTER.retired[0]}
    await declarations.restore(CONNECTION)

    assert broker.unbound == list(AFTER.retired[1:])
