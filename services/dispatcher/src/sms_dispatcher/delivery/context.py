"""What everything that works on messages needs: where they are recorded and published, and by which configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sms_common.carriers.protocol import Carrier
from sms_common.configuration import DispatcherSnapshot
from sms_dispatcher.delivery.status_publisher import StatusPublisher
from sms_dispatcher.ledger.ledger import Ledger


class CurrentSnapshot:
    """Holds the configuration in use. `latest` is None until there is one; nothing is read from a queue before that."""

    def __init__(self) -> None:
        self.latest: DispatcherSnapshot | None = None

    def __call__(self) -> DispatcherSnapshot:
        """The configuration in use."""
        assert self.latest is not None
        return self.latest


@dataclass(frozen=True, slots=True)
class DispatchContext:
    """Given to the dispatcher's parts when they are constructed. `clock` is the time that all dispatchers share."""

    ledger: Ledger
    publisher: StatusPublisher
    carriers: Mapping[str, Carrier]
    snapshot: CurrentSnapshot
    clock: Callable[[], datetime]
