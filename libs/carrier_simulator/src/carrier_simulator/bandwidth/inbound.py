"""Texts from handsets, made into message-received webhooks."""

from dataclasses import replace

from carrier_simulator.bandwidth.events import inbound_event
from carrier_simulator.carrier.inbound import InboundPart, InboundRequest
from carrier_simulator.carrier.media import MediaStore
from carrier_simulator.carrier.records import HandsetMessage
from carrier_simulator.state import SimulatorState
from carrier_simulator.webhooks.requests import webhook_to

__all__ = ["announce"]


def announce(state: SimulatorState, request: InboundRequest, message: HandsetMessage) -> None:
    """Store the files of the message and have its webhook posted, `copies` times."""
    urls = _store_parts(state.media, state.public_url, message.account_id, message.id, request.parts())
    content = request.content(urls)
    event = inbound_event(message, list(request.to), content, state.clock.time(), request.time_digits)
    if request.carrier_name is not None:
        event["carrierName"] = request.carrier_name
    document = event if request.shape == "object" else [event]
    kind, to = "message-received", message.owner
    webhook = webhook_to(message.application, "inbound", document, kind=kind, message_id=message.id, to=to, tag=None)
    if webhook is not None:
        for _ in range(request.copies):
            state.webhooks.submit(replace(webhook))


def _store_parts(
    store: MediaStore, base_url: str, account_id: str, message_id: str, parts: list[InboundPart]
) -> list[str]:
    """Store the files of an inbound message and return the URLs they can be fetched from."""
    urls = []
    for number, part in enumerate(parts):
        name = f"{message_id}/{number}/{part.filename}"
        store.put(account_id, name, part.resolved_content(), part.resolved_type())
        urls.append(f"{base_url}/api/v2/users/{account_id}/media/{name}")
    return urls
