"""What the control API reports: messages that arrived, webhooks with their answers; and waiting for either."""

from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from carrier_simulator.carrier.accounts import SimulatedAccount
from carrier_simulator.carrier.answers import json_answer
from carrier_simulator.carrier.clock import iso_time
from carrier_simulator.carrier.records import ArrivalFilter, ArrivedMessage
from carrier_simulator.control.access import SIMULATOR, ControlModel, Unusable, read_body, read_query
from carrier_simulator.simulator import Simulator
from carrier_simulator.webhooks.requests import Attempt, AttemptFilter

__all__ = ["count_arrivals", "list_arrivals", "list_attempts", "overview", "wait"]

_DEFAULT_LIMIT = 100


class _Page(ControlModel):
    limit: int = Field(_DEFAULT_LIMIT, ge=1, le=100_000)


class _ArrivalQuery(_Page):
    tag: str | None = None
    tag_prefix: str | None = None
    to: str | None = None
    sender: str | None = None
    message_id: str | None = None
    account_id: str | None = None
    after: int = 0


class _AttemptQuery(_Page):
    tag: str | None = None
    message_id: str | None = None
    to: str | None = None
    kind: str | None = Field(None, alias="type")
    direction: Literal["inbound", "outbound"] | None = None
    answered: int | None = None
    after: int = 0


class _Wait(ControlModel):
    arrivals: int | None = Field(None, ge=1)
    webhooks: int | None = Field(None, ge=1)
    timeout: float = Field(10, gt=0, le=600)
    where: dict[str, str | int] = Field(default_factory=dict)


async def overview(request: web.Request) -> web.Response:
    """GET /_simulator: the current counts."""
    simulator = request.app[SIMULATOR]
    webhooks, records = simulator.webhooks, simulator.records
    return json_answer(
        200,
        {
            "time": iso_time(simulator.clock.time()),
            "accepted": records.arrivals.total,
            "received": records.inbound.total,
            "queues": {account.account_id: _queue_state(simulator, account) for account in simulator.accounts},
            "webhooks": {
                "pending": webhooks.pending,
                "delivered": webhooks.delivered,
                "abandoned": webhooks.abandoned,
                "dropped": webhooks.dropped,
                "requests": webhooks.attempts.total,
            },
            "tokens": {
                "calls": simulator.bandwidth.tokens.calls,
                "issued": simulator.bandwidth.tokens.issued,
                "live": simulator.bandwidth.tokens.live,
            },
            "answers": dict(simulator.answers),
            "media_bytes": simulator.media.size,
        },
    )


async def list_attempts(request: web.Request) -> web.Response:
    """GET /_simulator/webhooks: the requests that carried webhooks."""
    query = read_query(request, _AttemptQuery)
    webhooks = request.app[SIMULATOR].webhooks
    test = AttemptFilter(**query.model_dump(exclude={"limit"}))
    found = [attempt for attempt in webhooks.attempts if test(attempt)]
    return json_answer(
        200,
        {
            "total": len(found),
            "forgotten": webhooks.attempts.forgotten,
            "webhooks": [_attempt_document(attempt) for attempt in found[: query.limit]],
        },
    )


async def list_arrivals(request: web.Request) -> web.Response:
    """GET /_simulator/arrivals: the messages that were accepted."""
    query = read_query(request, _ArrivalQuery)
    records = request.app[SIMULATOR].records
    test = ArrivalFilter(**query.model_dump(exclude={"limit"}))
    found = [arrival for arrival in records.arrivals if test(arrival)]
    return json_answer(
        200,
        {
            "total": len(found),
            "forgotten": records.arrivals.forgotten,
            "arrivals": [_arrival_document(arrival, records.by_tag) for arrival in found[: query.limit]],
        },
    )


async def count_arrivals(request: web.Request) -> web.Response:
    """GET /_simulator/arrivals/counts: tags that arrived more than once; with `?tags=all` each tag's count."""
    records = request.app[SIMULATOR].records
    document: dict[str, Any] = {
        "accepted": records.arrivals.total,
        "forgotten": records.arrivals.forgotten,
        "untagged": records.untagged,
        "distinct_tags": len(records.by_tag),
        "duplicates": {tag: count for tag, count in records.by_tag.items() if count > 1},
    }
    if request.query.get("tags") == "all":
        document["tags"] = records.by_tag
    return json_answer(200, document)


async def wait(request: web.Request) -> web.Response:
    """POST /_simulator/wait: answer 200 once enough has arrived or was posted, 408 after the timeout."""
    wanted = await read_body(request, _Wait)
    simulator = request.app[SIMULATOR]
    if wanted.arrivals is not None and wanted.webhooks is None:
        arrival_test = ArrivalFilter(**_ArrivalQuery.model_validate(wanted.where).model_dump(exclude={"limit"}))
        met = await simulator.records.arrivals.wait(wanted.arrivals, arrival_test, wanted.timeout)
        seen = sum(1 for arrival in simulator.records.arrivals if arrival_test(arrival))
    elif wanted.webhooks is not None and wanted.arrivals is None:
        attempt_test = AttemptFilter(**_AttemptQuery.model_validate(wanted.where).model_dump(exclude={"limit"}))
        met = await simulator.webhooks.attempts.wait(wanted.webhooks, attempt_test, wanted.timeout)
        seen = sum(1 for attempt in simulator.webhooks.attempts if attempt_test(attempt))
    else:
        raise Unusable("give either 'arrivals' or 'webhooks'")
    return json_answer(200 if met else 408, {"met": met, "seen": seen})


def _queue_state(simulator: Simulator, account: SimulatedAccount) -> dict[str, Any]:
    queue = simulator.bandwidth.queue(account)
    return {"messages": len(queue), "segments": queue.segments, "rate": queue.rate, "depth_seconds": queue.depth}


def _arrival_document(arrival: ArrivedMessage, by_tag: dict[str, int]) -> dict[str, Any]:
    return {
        "sequence": arrival.sequence,
        "message_id": arrival.id,
        "account_id": arrival.account_id,
        "application_id": arrival.application.application_id,
        "time": iso_time(arrival.time),
        "from": arrival.sender,
        "to": arrival.to,
        "text": arrival.text,
        "media": arrival.media,
        "tag": arrival.tag,
        "tag_count": 0 if arrival.tag is None else by_tag[arrival.tag],
        "priority": arrival.priority,
        "expiration": arrival.expiration,
        "kind": arrival.kind,
        "segments": arrival.segments,
        "statuses": [
            {"to": recipient.number, "status": recipient.status, "error_code": recipient.error_code}
            for recipient in arrival.recipients
        ],
    }


def _attempt_document(attempt: Attempt) -> dict[str, Any]:
    webhook = attempt.webhook
    return {
        "sequence": attempt.sequence,
        "time": iso_time(attempt.time),
        "url": webhook.url,
        "direction": webhook.direction,
        "type": webhook.kind,
        "message_id": webhook.message_id,
        "to": webhook.to,
        "tag": webhook.tag,
        "try": attempt.number,
        "authorized": attempt.authorized,
        "status": attempt.status,
        "error": attempt.error,
        "duration": round(attempt.duration, 6),
    }
