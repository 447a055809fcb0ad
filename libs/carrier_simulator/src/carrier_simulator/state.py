"""The state that simulated carriers share, with the methods that tests in the same process use."""

from collections import Counter
from typing import Any

from carrier_simulator.carrier.accounts import Accounts
from carrier_simulator.carrier.clock import Clock
from carrier_simulator.carrier.faults import Fault, Faults
from carrier_simulator.carrier.media import MediaStore
from carrier_simulator.carrier.outcomes import MessageOutcome, Outcomes, Script
from carrier_simulator.carrier.records import ArrivalFilter, ArrivedMessage, Records
from carrier_simulator.settings import SimulatorSettings
from carrier_simulator.webhooks.requests import Attempt, AttemptFilter
from carrier_simulator.webhooks.sender import WebhookSender

__all__ = ["SimulatorState"]

_ANY_INTERFACE = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to


class SimulatorState:
    """The accounts, the messages and the webhooks of a simulator, whichever carrier is simulated.

    In-process use: `url` (once running), `script`, `add_fault`, `arrivals`, `attempts`, `wait_for_arrivals`,
    `wait_for_attempts`, `clock.advance`.
    """

    def __init__(self, settings: SimulatorSettings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self.accounts = Accounts(settings.accounts)
        self.faults = Faults(settings.seed)
        self.outcomes = Outcomes()
        self.records = Records(settings.arrivals_limit)
        self.media = MediaStore(self.clock, settings.media_lifetime, settings.media_storage)
        self.webhooks = WebhookSender(settings, self.clock)
        self.answers: Counter[str] = Counter()
        self.url = ""
        self.bound_to(settings.host, settings.port)

    def bound_to(self, host: str, port: int) -> None:
        """Set the address on which the simulator listens."""
        reachable = "127.0.0.1" if host in _ANY_INTERFACE else host
        self.url = f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"

    @property
    def public_url(self) -> str:
        """Base of the media URLs in inbound messages."""
        return (self.settings.public_url or self.url).rstrip("/")

    def clear(self) -> None:
        """Forget everything but accounts, tokens and the time."""
        self.webhooks.clear()
        self.records.clear()
        self.media.clear()
        self.outcomes.clear()
        self.faults.clear()
        self.answers.clear()

    def script(
        self, outcome: MessageOutcome, *, to: str | None = None, tag: str | None = None, times: int | None = None
    ) -> None:
        """Script the outcome of messages to a number (`*` for any) or with a tag."""
        self.outcomes.add(Script(to=to, tag=tag, times=times, outcome=outcome))

    def add_fault(self, fault: Fault) -> None:
        """Switch a fault on."""
        self.faults.add(fault)

    def arrivals(self, **wanted: Any) -> list[ArrivedMessage]:
        """Return the accepted messages that match (see ArrivalFilter), oldest first."""
        test = ArrivalFilter(**wanted)
        return [arrival for arrival in self.records.arrivals if test(arrival)]

    def attempts(self, **wanted: Any) -> list[Attempt]:
        """Return the webhook requests that match (see AttemptFilter), oldest first."""
        test = AttemptFilter(**wanted)
        return [attempt for attempt in self.webhooks.attempts if test(attempt)]

    async def wait_for_arrivals(self, count: int, *, within: float = 10, **wanted: Any) -> list[ArrivedMessage]:
        """Return the matching arrivals once there are `count`; raises TimeoutError after `within` seconds."""
        test = ArrivalFilter(**wanted)
        if not await self.records.arrivals.wait(count, test, within):
            raise TimeoutError(f"{len(self.arrivals(**wanted))} of {count} messages arrived within {within} s")
        return self.arrivals(**wanted)

    async def wait_for_attempts(self, count: int, *, within: float = 10, **wanted: Any) -> list[Attempt]:
        """Return the matching webhook requests once there are `count`; raises TimeoutError after `within` seconds."""
        test = AttemptFilter(**wanted)
        if not await self.webhooks.attempts.wait(count, test, within):
            raise TimeoutError(f"{len(self.attempts(**wanted))} of {count} webhooks were posted within {within} s")
        return self.attempts(**wanted)
