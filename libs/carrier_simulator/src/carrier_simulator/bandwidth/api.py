"""Bandwidth's HTTP calls: token, messages, multi-channel messages, message list, media."""

from functools import lru_cache
from typing import Any

import orjson
from aiohttp import web

from carrier_simulator.bandwidth.carrier import decode_basic
from carrier_simulator.bandwidth.endpoints import BANDWIDTH, endpoint
from carrier_simulator.bandwidth.events import accepted_message
from carrier_simulator.bandwidth.media_fetch import CONTENT_TYPES, MAX_FILE
from carrier_simulator.bandwidth.requests.channels import parse_multichannel
from carrier_simulator.bandwidth.requests.listing import list_messages
from carrier_simulator.bandwidth.requests.messages import parse_message
from carrier_simulator.bandwidth.requests.refusals import (
    BadField,
    Refusal,
    in_multichannel_shape,
    invalid_request,
    not_acceptable,
    not_found,
    too_large,
    unknown_path,
    unsupported_content_type,
)
from carrier_simulator.carrier.accounts import SimulatedAccount
from carrier_simulator.carrier.answers import json_answer
from carrier_simulator.carrier.clock import iso_time
from carrier_simulator.carrier.faults import Subject

__all__ = ["MAX_BODY", "routes"]

MAX_BODY = 4_194_304  # bytes that the server reads; media has a lower limit of its own
MAX_JSON = 262_144  # bytes; above the largest message that obeys the field limits
_JSON = "application/json"


async def create_token(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/oauth2/token (RFC 6749, 4.4); error bodies follow its 5.2, since Bandwidth's are not known."""
    bandwidth = request.app[BANDWIDTH]
    bandwidth.tokens.calls += 1
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    client_id, _, secret = decode_basic(credential).partition(":")
    if scheme.lower() != "basic" or not bandwidth.state.accounts.accepts_client(client_id, secret):
        raise Refusal(401, {"error": "invalid_client", "error_description": "Client authentication failed"})
    form = await request.post() if request.content_type == "application/x-www-form-urlencoded" else {}
    if "grant_type" not in form:
        raise Refusal(400, {"error": "invalid_request", "error_description": "grant_type is missing"})
    if form["grant_type"] != "client_credentials":
        raise Refusal(400, {"error": "unsupported_grant_type"})
    lifetime = bandwidth.state.settings.token_expires_in
    token = bandwidth.tokens.issue(client_id, bandwidth.state.accounts.accounts_of_client(client_id), lifetime)
    return json_answer(200, {"access_token": token, "expires_in": int(lifetime), "token_type": "Bearer"})


async def create_message(request: web.Request) -> web.StreamResponse:
    """POST .../messages."""
    bandwidth = request.app[BANDWIDTH]
    account = _enter(request)
    body = await _json_body(request)
    arrival = bandwidth.accept(account, parse_message(body, account, bandwidth.state.clock.time()))
    await bandwidth.delivery.before_answer(arrival)
    return json_answer(202, accepted_message(arrival))


async def create_multichannel_message(request: web.Request) -> web.StreamResponse:
    """POST .../messages/multiChannel."""
    bandwidth = request.app[BANDWIDTH]
    account = _enter(request)
    body = await _json_body(request)
    parsed = parse_multichannel(body, account, bandwidth.state.clock.time())
    arrival = bandwidth.accept_multichannel(account, parsed)
    data: dict[str, Any] = {
        "id": arrival.id,
        "time": iso_time(arrival.time),
        "direction": "out",
        "to": arrival.to,
        "channelList": [{**item, "owner": item["from"]} for item in parsed.items],
    }
    if parsed.tag is not None:
        data["tag"] = parsed.tag
    data["priority"] = parsed.priority
    if parsed.expiration is not None:
        data["expiration"] = parsed.expiration
    await bandwidth.delivery.before_answer(arrival)
    return json_answer(202, {"links": [], "data": data, "errors": []})


async def get_messages(request: web.Request) -> web.StreamResponse:
    """GET .../messages."""
    bandwidth = request.app[BANDWIDTH]
    account = _enter(request)
    bandwidth.list_limit.count(request.remote or "")
    url = f"{bandwidth.state.url}{request.path}"
    page = list_messages(bandwidth.state.records, account.account_id, request.query, bandwidth.state.clock.time(), url)
    return json_answer(200, page)


async def list_media(request: web.Request) -> web.StreamResponse:
    """GET .../media."""
    bandwidth = request.app[BANDWIDTH]
    account = _enter(request)
    try:
        items, token = bandwidth.state.media.page(
            account.account_id, bandwidth.state.settings.media_page_size, request.headers.get("Continuation-Token")
        )
    except ValueError as error:
        raise invalid_request([BadField("Continuation-Token", str(error))]) from error
    base = f"{bandwidth.state.public_url}/api/v2/users/{account.account_id}/media/"
    response = json_answer(
        200,
        [{"contentLength": len(item.content), "mediaName": item.name, "content": base + item.name} for item in items],
    )
    if token is not None:
        response.headers["Continuation-Token"] = token
    return response


async def get_media(request: web.Request) -> web.StreamResponse:
    """GET .../media/{mediaId}."""
    account, name = _enter(request), _media_name(request)
    item = request.app[BANDWIDTH].state.media.get(account.account_id, name)
    if item is None:
        raise not_found()
    response = web.Response(body=item.content, headers={"Content-Type": item.content_type})
    if item.cache_control is not None:
        response.headers["Cache-Control"] = item.cache_control
    return response


async def put_media(request: web.Request) -> web.StreamResponse:
    """PUT .../media/{mediaId}."""
    account, name = _enter(request), _media_name(request)
    if request.content_type not in CONTENT_TYPES:
        raise unsupported_content_type(request.headers.get("Content-Type", ""), "one of the supported media types")
    content = await request.read()
    if len(content) > MAX_FILE:
        raise too_large()
    content_type = request.headers["Content-Type"]
    cache_control = request.headers.get("Cache-Control")
    request.app[BANDWIDTH].state.media.put(account.account_id, name, content, content_type, cache_control)
    return web.Response(status=204)


async def delete_media(request: web.Request) -> web.StreamResponse:
    """DELETE .../media/{mediaId}."""
    account, name = _enter(request), _media_name(request)
    if not request.app[BANDWIDTH].state.media.delete(account.account_id, name):
        raise not_found()
    return web.Response(status=204)


def routes() -> list[web.RouteDef]:
    """Return Bandwidth's routes."""
    users = "/api/v2/users/{account_id}"
    message = endpoint("messages", create_message, _message_subject)
    multichannel = endpoint("multichannel", create_multichannel_message, _message_subject, in_multichannel_shape)
    return [
        web.post("/api/v1/oauth2/token", endpoint("token", create_token, _account_subject)),
        web.post(f"{users}/messages", message),
        web.get(f"{users}/messages", endpoint("list", get_messages, _account_subject), allow_head=False),
        web.post(f"{users}/messages/multiChannel", multichannel),
        web.get(f"{users}/media", endpoint("media", list_media, _account_subject), allow_head=False),
        web.get(f"{users}/media/{{media_id:.+}}", endpoint("media", get_media, _account_subject), allow_head=False),
        web.put(f"{users}/media/{{media_id:.+}}", endpoint("media", put_media, _account_subject)),
        web.delete(f"{users}/media/{{media_id:.+}}", endpoint("media", delete_media, _account_subject)),
    ]


def _enter(request: web.Request) -> SimulatedAccount:
    """Return the account of the path after the checks that every call makes; raises Refusal (401, 403, 406)."""
    account = request.app[BANDWIDTH].authorise(request.headers.get("Authorization"), request.match_info["account_id"])
    if not _takes_json(request.headers.get("Accept", "*/*")) and "media_id" not in request.match_info:
        raise not_acceptable()
    return account


@lru_cache(maxsize=64)
def _takes_json(accept: str) -> bool:
    ranges = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    return not ranges.isdisjoint({"*/*", "application/*", _JSON, ""})


async def _json_body(request: web.Request) -> Any:
    """Return the decoded body; raises Refusal (400, 413, 415)."""
    if request.content_type != _JSON or "Content-Type" not in request.headers:
        raise unsupported_content_type(request.headers.get("Content-Type", ""))
    raw = await request.read()
    if len(raw) > MAX_JSON:
        raise too_large()
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise invalid_request() from error


def _media_name(request: web.Request) -> str:
    """Return the media id, slashes and all; an encoded slash leads nowhere, as with Bandwidth."""
    if "%2F" in request.raw_path.upper():
        raise unknown_path(request.path, request.app[BANDWIDTH].state.clock.time())
    return request.match_info["media_id"]


async def _account_subject(request: web.Request) -> Subject:
    return Subject(account_id=request.match_info.get("account_id"))


async def _message_subject(request: web.Request) -> Subject:
    """Return what a message request is about, as far as it can be read."""
    account_id = request.match_info["account_id"]
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        return Subject(account_id)
    if not isinstance(body, dict):
        return Subject(account_id)
    to, sender, tag = body.get("to"), body.get("from"), body.get("tag")
    numbers = [to] if isinstance(to, str) else to
    return Subject(
        account_id,
        tuple(number for number in numbers if isinstance(number, str)) if isinstance(numbers, list) else (),
        sender if isinstance(sender, str) else None,
        tag if isinstance(tag, str) else None,
    )
