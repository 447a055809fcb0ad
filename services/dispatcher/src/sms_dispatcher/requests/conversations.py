"""Which of the tenant's numbers continues a conversation: the one that the customer wrote to."""

import asyncio
import re
from collections.abc import Mapping

from sms_common.configuration import DispatcherSnapshot
from sms_common.events import OutboundRequest
from sms_common.phone import from_carrier
from sms_dispatcher.ledger.entries import conversation_id
from sms_dispatcher.ledger.ledger import Ledger
from sms_dispatcher.requests.routing import threads_to_look_up

_MEXICAN = re.compile(r"\+52([0-9]{10})")
# The gateway's conversation ids are such UUIDs. Any other id is the PBX's own and need not be looked up.
_OURS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


async def conversations(request: OutboundRequest, snapshot: DispatcherSnapshot, ledger: Ledger) -> Mapping[str, str]:
    """The DID of the conversation with each recipient, when there is one and it may decide about the sender.

    It is the DID of the request's `conversation_id`, else the one that the recipient wrote to last. The members of a
    group have one conversation or none. Raises Unavailable.
    """
    numbers = threads_to_look_up(request, snapshot)
    if not numbers:
        return {}
    found = await asyncio.gather(*(_written_to(ledger, request.tenant_id, number) for number in numbers))
    dids = dict(zip(numbers, found, strict=True))
    named = await _named(request, dids, ledger)
    if request.group and len(numbers) > 1:
        did = next(iter(named.values()), None) or _answering_all(dids)
        return {} if did is None else dict.fromkeys(numbers, did)
    return {**{number: written[0] for number, written in dids.items() if written}, **named}


async def _written_to(ledger: Ledger, tenant_id: str, number: str) -> tuple[str, ...]:
    """The DIDs that a number wrote to, the latest first. Those that it wrote to in its present spelling come before."""
    found = await asyncio.gather(*(ledger.written_to(tenant_id, spelling) for spelling in _spellings(number)))
    return tuple(dict.fromkeys(from_carrier(did) for dids in found for did in dids))


def _spellings(number: str) -> tuple[str, ...]:
    """The spellings of a sender's number in the ledger. Former versions stored it as the carrier wrote it: without a
    plus, or in the form that Mexico used before 2019.
    """
    forms = [number, _MEXICAN.sub(r"+521\1", number)]
    return tuple(dict.fromkeys([*forms, *(form.removeprefix("+") for form in forms)]))


async def _named(request: OutboundRequest, dids: Mapping[str, tuple[str, ...]], ledger: Ledger) -> Mapping[str, str]:
    """The DID of each recipient for whom the request's `conversation_id` decides.

    It may be the id of the conversation with all of them, with one of them, or one that was recorded when one of them
    wrote, such as that of a group of which only some are answered.
    """
    id_, tenant_id = request.conversation_id, request.tenant_id
    if id_ is None or not _OURS.fullmatch(id_):
        return {}
    for did in dict.fromkeys(did for written in dids.values() for did in written):
        if id_ == conversation_id(tenant_id, (*dids, did)):
            return dict.fromkeys(dids, did)
    pairs = [(number, did) for number, written in dids.items() for did in written]
    alone = {number: did for number, did in pairs if id_ == conversation_id(tenant_id, (number, did))}
    if alone:
        return alone
    senders = [spelling for number, written in dids.items() if written for spelling in _spellings(number)]
    recorded = await ledger.did_of(tenant_id, senders, id_) if senders else None
    return {} if recorded is None else dict.fromkeys(dids, from_carrier(recorded))


def _answering_all(dids: Mapping[str, tuple[str, ...]]) -> str | None:
    """The tenant's own number among the recipients: an answer to a whole group also goes to the number it wrote to."""
    return next((did for written in dids.values() for did in written if did in dids), None)
