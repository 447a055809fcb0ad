"""Reads an HTTP request: the JSON body, the expected version, the parameters, the credentials."""

import re
from codecs import BOM_UTF8
from dataclasses import dataclass, field

import orjson
from aiohttp import hdrs, web
from multidict import CIMultiDictProxy
from pydantic import SecretStr

from sms_common.http.content_coding import is_coded
from sms_common.http.proxies import PeerAddress
from sms_config.access.auth import Caller
from sms_config.model.problems import Invalid, Malformed, TooLarge, UnsupportedMediaType
from sms_config.resources.sessions import LoginClient, Presented
from sms_config.schemas.bodies import JsonObject

SESSION_COOKIE = "sms_session"
DEVICE_COOKIE = "sms_device"
CLIENT = web.RequestKey("client", PeerAddress)
CSRF_HEADER = "X-CSRF-Token"
MAX_BODY_BYTES = 256 * 1024
MAX_VERSION = 2**53 - 1
# Deeper than any body needs, and far below the limit of the JSON writer.
MAX_DEPTH = 16
_JSON_TYPES = frozenset({"application/json", "application/merge-patch+json"})
_ETAG = re.compile(r'"([0-9]{1,15})"')


@dataclass(frozen=True, slots=True)
class Call:
    """One request of an authenticated caller. `version` is the one that the change is based on, if given."""

    caller: Caller
    object_id: str = ""
    given: JsonObject = field(default_factory=dict, repr=False)
    version: int | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    presented: Presented = field(default_factory=Presented)


async def read_call(request: web.Request, caller: Caller, *, takes_body: bool) -> Call:
    """Return the request as a Call. Raises Malformed, UnsupportedMediaType, TooLarge, Invalid."""
    given = await read_object(request) if takes_body and request.body_exists else {}
    version = _one_version(if_match(request.headers), given.pop("version", None))
    object_id, parameters = request.match_info.get("id", ""), tuple(request.query.items())
    return Call(caller, object_id, given, version, parameters, presented(request))


def presented(request: web.Request) -> Presented:
    """Return the credentials that a browser sends."""
    changes = request.method not in {hdrs.METH_GET, hdrs.METH_HEAD}
    client = LoginClient(request[CLIENT], _cookie(request, DEVICE_COOKIE))
    return Presented(_cookie(request, SESSION_COOKIE), request.headers.get(CSRF_HEADER, ""), changes, client)


def _cookie(request: web.Request, name: str) -> SecretStr | None:
    value = request.cookies.get(name)
    return SecretStr(value) if value else None


async def read_object(request: web.Request) -> JsonObject:
    """Return the body as a JSON object."""
    if is_coded(request.headers.getall(hdrs.CONTENT_ENCODING, ())):
        raise UnsupportedMediaType("The body must be sent without a Content-Encoding.")
    if request.content_type not in _JSON_TYPES:
        raise UnsupportedMediaType("The body must be application/json.")
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise TooLarge(f"The body may have {MAX_BODY_BYTES} bytes.") from None
    except (web.RequestPayloadError, ConnectionError):
        raise Malformed("The body broke off, or its chunks are no proper HTTP.") from None
    try:
        value = orjson.loads(body.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError:
        raise Malformed("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise Malformed("The body must be a JSON object.")
    if _deeper(value, MAX_DEPTH):
        raise Malformed(f"The body is nested deeper than {MAX_DEPTH} levels.")
    return value


def _deeper(value: object, levels: int) -> bool:
    children = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return levels == 0 or any(_deeper(child, levels - 1) for child in children)


def if_match(headers: CIMultiDictProxy[str]) -> int | None:
    """Return the version in an If-Match header; None without one and for `*`, which any version matches."""
    text = headers.get(hdrs.IF_MATCH, "*").strip()
    if text == "*":
        return None
    match = _ETAG.fullmatch(text)
    if match is None:
        raise Invalid.of("If-Match", 'must be an ETag that was answered here, such as "3"')
    return int(match.group(1))


def _one_version(header: int | None, body: object) -> int | None:
    if body is None or body == "":
        return header
    if not isinstance(body, int) or isinstance(body, bool) or not 0 <= body <= MAX_VERSION:
        raise Invalid.of("version", "must be a whole number")
    if header is not None and header != body:
        raise Invalid.of("version", "differs from the If-Match header")
    return body


def etag_matches(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names `etag` (RFC 9110, 13.1.2: weak comparison)."""
    tags = [tag.strip().removeprefix("W/") for tag in (header or "").split(",")]
    return etag in tags or "*" in tags
