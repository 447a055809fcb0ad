"""Which of the tenant's numbers a conversation goes on with: the one the customer wrote to."""

import asyncio
from collections.abc import Iterable, Mapping

from sms_common.configuration import DispatcherSnapshot
from sms_common.events import OutboundRequest, event_id
from sms_dispatcher.ledger import Ledger
from sms_dispatcher.routing import conversing


def conversation_id(tenant_id: str | None, parties: Iterable[str]) -> str:
    """The id of the conversation among these numbers, ours and theirs, whoever writes."""
    return event_id("conversation", tenant_id, *sorted(set(parties)))


async def conversations(request: OutboundRequest, snapshot: DispatcherSnapshot, ledger: Ledger) -> Mapping[str, str]:
    """For each recipient the DID of the conversation with it, where there is one and it may decide about the sender:
    that of the request's `conversation_id`, else the one it wrote to last. Raises Unavailable.
    """
    numbers = conversing(request, snapshot)
    if not numbers:
        return {}
    found = await asyncio.gather(*(ledger.written_to(request.tenant_id, number) for number in numbers))
    return {number: _did(request, number, dids) for number, dids in zip(numbers, found, strict=True) if dids}


def _did(request: OutboundRequest, number: str, dids: tuple[str, ...]) -> str:
    if request.conversation_id is not None:
        for did in dids:
            if conversation_id(request.tenant_id, (number, did)) == request.conversation_id:
                return did
    return dids[0]
