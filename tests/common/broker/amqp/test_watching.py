"""What is gone from the broker stays said until it is there again, and is not asked for at every look."""

import asyncio
from typing import Any, cast

import pytest
from aio_pika.abc import AbstractConnection

from sms_common.broker.amqp import watching
from sms_common.broker.amqp.declaring import Declarations
from sms_common.broker.amqp.watching import TopologyWatch
from sms_common.broker.messages import Restored
from tests.eventually import eventually_told

REFUSED = "gone from the broker: pbx.west.requests (the broker refuses to have it again)"
CONNECTION = cast("AbstractConnection", None)


class FakeDeclarations:
    """One exchange that is gone; `refused`: declaring it again is only logged, as of everything but the base."""

    size = 100

    def __init__(self, *, refused: bool) -> None:
        self.refused = refused
        self.gone = True
        self.looks = self.restores = 0

    async def missing(self, _: Any) -> tuple[str, ...]:
        self.looks += 1
        return ("pbx.west.requests",) if self.gone else ()

    async def restore(self, _: Any) -> None:
        self.restores += 1
        self.gone = self.refused


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(watching, "_CHECK_EVERY", 0.01)
    monkeypatch.setattr(watching, "_SHORTEST_GAP", 0.01)


@pytest.mark.parametrize(("refused", "trouble"), [(True, REFUSED), (False, None)], ids=["refused", "taken"])
async def test_it_is_restored_once_it_is_there_and_not_tried_at_every_look(often, refused, trouble):
    declarations, told = FakeDeclarations(refused=refused), list[Restored]()
    watch = TopologyWatch(cast("Declarations", declarations), repairs=True)

    async def hear(restored: Restored) -> None:
        told.append(restored)

    async def looks() -> int:
        return declarations.looks

    watch.subscribe(hear)
    watching_it = asyncio.create_task(watch.serve(CONNECTION))
    await eventually_told(looks, lambda count: count > 20)
    watching_it.cancel()
    await asyncio.gather(watching_it, return_exceptions=True)

    assert (declarations.restores, watch.problem()) == (1, trouble)
    assert len(told) == (0 if refused else 1)


async def test_what_is_deleted_again_is_made_again_at_once(often):
    declarations = FakeDeclarations(refused=False)
    watch = TopologyWatch(cast("Declarations", declarations), repairs=True)

    async def restores() -> int:
        return declarations.restores

    watching_it = asyncio.create_task(watch.serve(CONNECTION))
    await eventually_told(restores, lambda count: count == 1)
    declarations.gone = True
    await eventually_told(restores, lambda count: count == 2, seconds=2)
    watching_it.cancel()
    await asyncio.gather(watching_it, return_exceptions=True)
