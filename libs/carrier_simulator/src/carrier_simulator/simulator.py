"""The whole simulator without HTTP: the shared state and the simulated carrier."""

from carrier_simulator.bandwidth.carrier import SimulatedBandwidth
from carrier_simulator.carrier.accounts import SimulatedAccount
from carrier_simulator.carrier.clock import Clock
from carrier_simulator.carrier.inbound import InboundRequest
from carrier_simulator.carrier.records import HandsetMessage
from carrier_simulator.settings import SimulatorSettings
from carrier_simulator.state import SimulatorState

__all__ = ["Simulator"]


class Simulator(SimulatorState):
    """A simulated Bandwidth with everything that SimulatorState offers; this is what a test talks to."""

    def __init__(self, settings: SimulatorSettings, clock: Clock | None = None) -> None:
        super().__init__(settings, clock)
        self.bandwidth = SimulatedBandwidth(self)

    @property
    def token_url(self) -> str:
        """Where access tokens are asked for."""
        return f"{self.url}/api/v1/oauth2/token"

    @property
    def messaging_url(self) -> str:
        """The base that takes the place of https://messaging.bandwidth.com/api/v2."""
        return f"{self.url}/api/v2"

    async def start(self) -> None:
        """Begin to send webhooks and fetch media."""
        await self.bandwidth.start()
        await self.webhooks.start()

    async def stop(self) -> None:
        """Stop everything; work in progress is lost."""
        await self.bandwidth.stop()
        await self.webhooks.stop()
        self.clock.clear()

    def clear(self) -> None:
        """Forget everything but accounts, tokens and the time."""
        self.bandwidth.clear()
        super().clear()

    def put_account(self, account: SimulatedAccount) -> None:
        """Add or replace an account; its queue continues with the new rate."""
        self.accounts.put(account)
        self.bandwidth.reconfigure_queue(account)

    def remove_account(self, account_id: str) -> bool:
        """Remove an account and everything in its queue; return whether it existed."""
        self.bandwidth.remove_queue(account_id)
        return self.accounts.remove(account_id)

    def receive(self, request: InboundRequest) -> list[HandsetMessage]:
        """Deliver a text from a handset to the customer: one message for each of the customer's numbers in `to`.

        Raises LookupError when none of the numbers belongs to an account.
        """
        return self.bandwidth.receive(request)
