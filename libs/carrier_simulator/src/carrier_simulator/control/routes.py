"""The control API under /_simulator, with which tests and people set up the simulator and read what happened."""

from collections.abc import Callable
from typing import Any, Literal

from aiohttp import web
from pydantic import Field, JsonValue

from carrier_simulator.carrier.accounts import SimulatedAccount
from carrier_simulator.carrier.answers import Handler, json_answer
from carrier_simulator.carrier.clock import iso_time
from carrier_simulator.carrier.faults import Fault
from carrier_simulator.carrier.inbound import InboundRequest
from carrier_simulator.carrier.outcomes import Script
from carrier_simulator.control import reports
from carrier_simulator.control.access import SIMULATOR, ControlModel, Unusable, guarded, read_body, read_document
from carrier_simulator.webhooks.requests import webhook_to

__all__ = ["routes"]


class _Advance(ControlModel):
    advance: float = Field(ge=0)


class _RawWebhook(ControlModel):
    account_id: str
    application_id: str
    direction: Literal["inbound", "outbound"]
    body: JsonValue


async def list_accounts(request: web.Request) -> web.Response:
    """GET /_simulator/accounts; secrets are masked."""
    return json_answer(200, [account.model_dump(mode="json") for account in request.app[SIMULATOR].accounts])


async def put_account(request: web.Request) -> web.Response:
    """PUT /_simulator/accounts/{account_id}."""
    document = await read_document(request)
    if not isinstance(document, dict):
        raise Unusable("an account is a JSON object")
    account = SimulatedAccount.model_validate({"account_id": request.match_info["account_id"], **document})
    if account.account_id != request.match_info["account_id"]:
        raise Unusable("account_id differs from the path")
    request.app[SIMULATOR].put_account(account)
    return json_answer(200, account.model_dump(mode="json"))


async def delete_account(request: web.Request) -> web.Response:
    """DELETE /_simulator/accounts/{account_id}."""
    known = request.app[SIMULATOR].remove_account(request.match_info["account_id"])
    return web.Response(status=204 if known else 404)


async def list_outcomes(request: web.Request) -> web.Response:
    """GET /_simulator/outcomes."""
    return json_answer(200, request.app[SIMULATOR].outcomes.listing())


async def add_outcome(request: web.Request) -> web.Response:
    """POST /_simulator/outcomes."""
    script = await read_body(request, Script)
    request.app[SIMULATOR].outcomes.add(script)
    return json_answer(201, script.model_dump(exclude_none=True))


async def clear_outcomes(request: web.Request) -> web.Response:
    """DELETE /_simulator/outcomes."""
    request.app[SIMULATOR].outcomes.clear()
    return web.Response(status=204)


async def list_faults(request: web.Request) -> web.Response:
    """GET /_simulator/faults."""
    return json_answer(200, request.app[SIMULATOR].faults.listing())


async def add_fault(request: web.Request) -> web.Response:
    """POST /_simulator/faults."""
    fault = await read_body(request, Fault)
    request.app[SIMULATOR].add_fault(fault)
    return json_answer(201, fault.model_dump(exclude_none=True))


async def clear_faults(request: web.Request) -> web.Response:
    """DELETE /_simulator/faults."""
    request.app[SIMULATOR].faults.clear()
    return web.Response(status=204)


async def receive(request: web.Request) -> web.Response:
    """POST /_simulator/inbound."""
    wanted = await read_body(request, InboundRequest)
    try:
        messages = request.app[SIMULATOR].receive(wanted)
    except LookupError as error:
        raise Unusable(str(error)) from error
    return json_answer(
        202,
        {
            "messages": [
                {
                    "message_id": message.id,
                    "account_id": message.account_id,
                    "application_id": message.application.application_id,
                    "to": message.owner,
                }
                for message in messages
            ]
        },
    )


async def send_raw_webhook(request: web.Request) -> web.Response:
    """POST /_simulator/webhooks: deliver any JSON as a webhook of an application."""
    raw = await read_body(request, _RawWebhook)
    simulator = request.app[SIMULATOR]
    account = simulator.accounts.get(raw.account_id)
    application = None if account is None else account.application(raw.application_id)
    if application is None:
        raise Unusable("no such account or application")
    kind, message_id, to, tag = _named_in(raw.body)
    webhook = webhook_to(application, raw.direction, raw.body, kind=kind, message_id=message_id, to=to, tag=tag)
    if webhook is None:
        raise Unusable(f"the application has no {raw.direction} URL")
    simulator.webhooks.submit(webhook)
    return json_answer(202, {"url": webhook.url})


async def advance_clock(request: web.Request) -> web.Response:
    """POST /_simulator/clock: move the simulated time forward."""
    wanted = await read_body(request, _Advance)
    clock = request.app[SIMULATOR].clock
    clock.advance(wanted.advance)
    return json_answer(200, {"time": iso_time(clock.time())})


async def revoke_tokens(request: web.Request) -> web.Response:
    """DELETE /_simulator/tokens: revoke every access token."""
    return json_answer(200, {"revoked": request.app[SIMULATOR].bandwidth.tokens.revoke_all()})


async def clear_state(request: web.Request) -> web.Response:
    """DELETE /_simulator/state: forget everything but accounts, tokens and the time."""
    request.app[SIMULATOR].clear()
    return web.Response(status=204)


def routes() -> list[web.RouteDef]:
    """Return the routes of the control API."""
    base = "/_simulator"
    table: list[tuple[Callable[..., web.RouteDef], str, Handler]] = [
        (web.get, "", reports.overview),
        (web.get, "/accounts", list_accounts),
        (web.put, "/accounts/{account_id}", put_account),
        (web.delete, "/accounts/{account_id}", delete_account),
        (web.get, "/outcomes", list_outcomes),
        (web.post, "/outcomes", add_outcome),
        (web.delete, "/outcomes", clear_outcomes),
        (web.get, "/faults", list_faults),
        (web.post, "/faults", add_fault),
        (web.delete, "/faults", clear_faults),
        (web.post, "/inbound", receive),
        (web.post, "/webhooks", send_raw_webhook),
        (web.get, "/webhooks", reports.list_attempts),
        (web.get, "/arrivals", reports.list_arrivals),
        (web.get, "/arrivals/counts", reports.count_arrivals),
        (web.post, "/wait", reports.wait),
        (web.post, "/clock", advance_clock),
        (web.delete, "/tokens", revoke_tokens),
        (web.delete, "/state", clear_state),
    ]
    return [method(base + path, guarded(handler)) for method, path, handler in table]


def _named_in(body: Any) -> tuple[str, str, str, str | None]:
    """Return type, message id, recipient and tag of a webhook body, as far as it has them."""
    event = body[0] if isinstance(body, list) and body else body
    event = event if isinstance(event, dict) else {}
    message = event.get("message")
    message = message if isinstance(message, dict) else {}
    tag = message.get("tag")
    return (
        str(event.get("type", "")),
        str(message.get("id", "")),
        str(event.get("to", "")),
        tag if isinstance(tag, str) else None,
    )
