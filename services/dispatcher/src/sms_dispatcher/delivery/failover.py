"""How a message goes on by its next route when a carrier would not have it. Pure."""

from collections.abc import Callable
from datetime import datetime

from sms_common.errors import SendFailure
from sms_common.events import StatusError
from sms_common.messages import ErrorClass, Status
from sms_dispatcher.ledger.entries import LedgerEntry, SendRoute, changed


def next_route(
    entry: LedgerEntry, failure: SendFailure, usable: Callable[[str], bool], now: datetime
) -> LedgerEntry | None:
    """The entry as it goes on by the next route whose configuration is `usable`, or None when there is none or the
    failure does not allow it.

    Only a refusal before anything was sent, through no fault of the recipient or the text, does; and never once an
    attempt's answer was lost, for that attempt may have been the one that arrived.
    """
    if not failure.try_next_route or entry.possible_duplicate:
        return None
    for place, route in enumerate(entry.next_routes):
        if usable(route.config_id):
            return _sent_by(route, entry, failure, now, entry.next_routes[place + 1 :])
    return None


def _sent_by(
    route: SendRoute, entry: LedgerEntry, failure: SendFailure, now: datetime, rest: tuple[SendRoute, ...]
) -> LedgerEntry:
    """The entry on its next route. It is due at once: the scheduler puts it into the lane it now belongs to, also
    after a crash at any point.
    """
    reason = f"{entry.config_id} would not send it, {route.config_id} is tried next. {failure.reason}"
    error = StatusError(
        error_class=ErrorClass.TEMPORARY,
        code=failure.code,
        carrier_code=failure.carrier_code,
        carrier_text=failure.carrier_text,
    )
    after = changed(entry, Status.QUEUED, now, reason=reason, error=error, occurred_at=now, due_at=now)
    return after.but(
        config_id=route.config_id,
        carrier=route.carrier,
        sender=route.sender,
        dialled=route.dialled,
        next_routes=rest,
        moves=entry.moves + 1,
    )
