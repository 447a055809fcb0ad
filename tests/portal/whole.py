"""The whole gateway, with a simulated Bandwidth, for tests that do not await: its loop runs in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Self, TypeVar

from tests.e2e.amqp import PATIENCE, Inbox, Message
from tests.e2e.gateway import Gateway
from tests.eventually import eventually_told
from tests.stack import Broker

T = TypeVar("T")


class Whole:
    """A running gateway and what is around it: the PBX, the handsets and Bandwidth."""

    def __init__(self, gateway: Gateway, loop: asyncio.AbstractEventLoop) -> None:
        self.gateway = gateway
        self._loop = loop

    @classmethod
    @contextmanager
    def running(cls, broker: Broker, mongo_url: str, **changes: str) -> Iterator[Self]:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            with _entered(Gateway.running(broker, mongo_url, **changes), loop) as gateway:
                yield cls(gateway, loop)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """What some work in the gateway's loop comes to."""
        return _done(work, self._loop)

    @property
    def url(self) -> str:
        """The address of the portal."""
        return self.gateway.url("config")

    def printed(self, service: str, words: str) -> str:
        """The first line of a service that holds these words, once it is there."""

        async def found() -> str | None:
            return next((line for name, line in self.gateway.lines if name == service and words in line), None)

        return str(self.do(eventually_told(found, bool)))

    @contextmanager
    def reading(self, queue: str) -> Iterator[Inbox]:
        """What comes to a queue of the PBX."""
        inbox = Inbox()
        with _entered(self.gateway.client.reading(queue, inbox), self._loop):
            yield inbox

    def first(self, inbox: Inbox, wanted: Callable[[Message], bool], what: str) -> dict[str, Any]:
        """The first message that is wanted, as it reads."""
        return self.do(inbox.first(wanted, what)).json

    def publish(self, body: dict[str, Any]) -> None:
        """Have the PBX ask for a text to be sent."""
        self.do(self.gateway.client.publish(body, f"sms.outbound.{body['tenant_id']}"))

    def open_account(self, account_id: str, client: dict[str, str], application: dict[str, Any]) -> None:
        """Do what a person does in Bandwidth's pages: make credentials and an application with its webhook."""
        body = {"credentials": [client], "applications": [application]}
        self.do(self.gateway.simulator("PUT", f"/accounts/{account_id}", body))

    def text_in(self, sender: str, did: str, text: str) -> str:
        """Have a handset write; Bandwidth's id of the text."""
        body = {"from": sender, "to": did, "text": text}
        answer = self.do(self.gateway.simulator("POST", "/inbound", body))
        return str(answer["messages"][0]["message_id"])

    def until_known(self, path: str, question: dict[str, Any], holds: Callable[[Any], bool]) -> None:
        """Return once the dispatcher decides as it should by what was just configured."""

        async def ask() -> Any:
            return await self.gateway.api("POST", path, question)

        self.do(eventually_told(ask, holds))

    def until_health(self, config_id: str, health: str) -> None:
        """Return once an SMS configuration is judged so."""

        async def ask() -> Any:
            return await self.gateway.api("GET", f"/sms-health?ids={config_id}")

        self.do(eventually_told(ask, lambda found: found["items"][0]["health"] == health))


def _done(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop).result(3 * PATIENCE)


@contextmanager
def _entered(context: AbstractAsyncContextManager[T], loop: asyncio.AbstractEventLoop) -> Iterator[T]:
    async def enter() -> T:
        return await context.__aenter__()

    async def leave() -> None:
        await context.__aexit__(None, None, None)

    entered = _done(enter(), loop)
    try:
        yield entered
    finally:
        _done(leave(), loop)
