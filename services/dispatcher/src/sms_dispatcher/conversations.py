"""Which of the tenant's numbers a conversation goes on with: the one the customer wrote to."""

import asyncio
import re
from collections.abc import Collection, Iterable, Mapping

from sms_common.configuration import DispatcherSnapshot
from sms_common.events import OutboundRequest, event_id
from sms_common.phone import from_carrier
from sms_dispatcher.ledger import Ledger
from sms_dispatcher.routing import conversing

_MEXICAN = re.compile(r"\+52([0-9]{10})")


def conversation_id(tenant_id: str | None, parties: Iterable[str]) -> str:
    """The id of the conversation among these numbers, ours and theirs, whoever writes and however they are spelled."""
    return _id_of(tenant_id, {from_carrier(number) for number in parties})


def _id_of(tenant_id: str | None, parties: Collection[str]) -> str:
    return event_id("conversation", tenant_id, *sorted(parties))


async def conversations(request: OutboundRequest, snapshot: DispatcherSnapshot, ledger: Ledger) -> Mapping[str, str]:
    """For each recipient the DID of the conversation with it, where there is one and it may decide about the sender:
    that of the request's `conversation_id`, else the one it wrote to last. The members of a group have one
    conversation, or none. Raises Unavailable.
    """
    numbers = conversing(request, snapshot)
    if not numbers:
        return {}
    found = await asyncio.gather(*(_written_to(ledger, request.tenant_id, number) for number in numbers))
    if request.group and len(numbers) > 1:
        did = _did_of_group(request, numbers, [did for dids in found for did in dids])
        return {} if did is None else dict.fromkeys(numbers, did)
    return {number: _did(request, number, dids) for number, dids in zip(numbers, found, strict=True) if dids}


async def _written_to(ledger: Ledger, tenant_id: str, number: str) -> tuple[str, ...]:
    """The DIDs that a number wrote to, the latest first, as they were recorded; those under its present form lead."""
    found = await asyncio.gather(*(ledger.written_to(tenant_id, spelling) for spelling in _spellings(number)))
    return tuple(dict.fromkeys(did for dids in found for did in dids))


def _spellings(number: str) -> tuple[str, ...]:
    """A number as the ledger may hold it of a sender: former versions kept it as the carrier wrote it, without a plus
    or in Mexico's form of before 2019.
    """
    forms = [number, _MEXICAN.sub(r"+521\1", number)]
    return tuple(dict.fromkeys([*forms, *(form.removeprefix("+") for form in forms)]))


def _did(request: OutboundRequest, number: str, dids: tuple[str, ...]) -> str:
    wanted = request.conversation_id
    if wanted is not None:
        for did in dids:
            former = (_id_of(request.tenant_id, {spelling, did}) for spelling in _spellings(number))
            if wanted in {conversation_id(request.tenant_id, (number, did)), *former}:
                return from_carrier(did)
    return from_carrier(dids[0])


def _did_of_group(request: OutboundRequest, numbers: tuple[str, ...], dids: list[str]) -> str | None:
    """The DID that the group wrote to: with it the members are the conversation's, or, as who answers all does, it is
    among them.
    """
    for did in map(from_carrier, dids):
        if request.conversation_id == conversation_id(request.tenant_id, (*numbers, did)):
            return did
    return next((did for did in map(from_carrier, dids) if did in numbers), None)
