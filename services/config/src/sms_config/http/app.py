"""The HTTP application: the REST API from the route table, the two snapshots, and one shape for every error."""

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from http import HTTPStatus
from urllib.parse import urlsplit

import orjson
import structlog
from aiohttp import hdrs, web
from pydantic import BaseModel

from sms_common.carriers.declaration import Declaration
from sms_common.errors import Code, Unavailable
from sms_common.http.proxies import TrustedProxies, says_https
from sms_common.input.addresses import is_loopback
from sms_common.telemetry import code_places
from sms_config.access.auth import Authenticator, Caller, Scope, ServiceTokens
from sms_config.access.device_cookies import LIFETIME as DEVICE_COOKIE_LIFETIME
from sms_config.http import openapi
from sms_config.http.dry_run import find_all_errors, run_dry
from sms_config.http.portal_files import add_portal
from sms_config.http.requests import (
    CLIENT,
    DEVICE_COOKIE,
    MAX_BODY_BYTES,
    SESSION_COOKIE,
    Call,
    etag_matches,
    presented,
    read_call,
)
from sms_config.http.routes import PREFIX, Answer, ApiRoute, Listing, LiveStream, Opened, SessionClosed
from sms_config.model.problems import BrokerAway, HttpsNeeded, Internal, MethodNotAllowed, NotFound, Problem, StoreAway
from sms_config.operations.server_sent_events import stream
from sms_config.resources.sessions import Sessions
from sms_config.schemas.views import Stamps
from sms_config.snapshots.snapshots import Rendered, Snapshots

_log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

INGRESS_SNAPSHOT = "/internal/v1/snapshot/ingress"
DISPATCHER_SNAPSHOT = "/internal/v1/snapshot/dispatcher"
OPENAPI = f"{PREFIX}/openapi.json"
TENANT_HEADER = "X-Tenant"
# A page sends it with requests that nobody asked for, such as reading again after an event.
UNATTENDED_HEADER = "X-Unattended"
# A page sends it to learn what is wrong with a change, without making the change.
DRY_RUN_HEADER = "X-Trial"
REQUEST_ID = web.RequestKey("request_id", str)
PROXIES = web.AppKey("proxies", TrustedProxies)
ROUTES = web.AppKey("routes", tuple[ApiRoute, ...])
# Requested every few seconds: a log line for each would hide the rest.
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_GIVEN_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Server": "sms-config",
}


@dataclass(frozen=True, slots=True)
class AppSecurity:
    """How callers are authenticated, and whether requests can be served yet: `waiting_for` returns a sentence until the
    store is prepared.

    `portal` is the address at which people open the portal: with https, cookies are sent over TLS only. `proxies` are
    trusted about the addresses of their clients.
    """

    authenticator: Authenticator
    sessions: Sessions
    services: ServiceTokens
    waiting_for: Callable[[], str | None]
    portal: str
    proxies: TrustedProxies

    @property
    def secure(self) -> bool:
        """Whether the portal is reached over TLS."""
        return self.portal.startswith("https:")


def create_app(
    routes: list[ApiRoute],
    snapshots: Snapshots,
    security: AppSecurity,
    *,
    version: str,
    declared: Iterable[Declaration] = (),
) -> web.Application:
    """Return the application. It holds no state. The OpenAPI document shows the release `version` and the
    credentials of the carriers that are `declared`.
    """
    app = web.Application(middlewares=[_answer_in_one_shape], client_max_size=MAX_BODY_BYTES)
    app[PROXIES] = security.proxies

    @cache
    def document() -> bytes:
        return orjson.dumps(openapi.document(routes, version, declared))

    async def describe(_: web.Request) -> web.Response:
        return _json(document())

    async def ingress(request: web.Request) -> web.Response:
        security.services.require_ingress(request.headers.get(hdrs.AUTHORIZATION), request[CLIENT])
        _require_ready(security)
        return await _snapshot(request, snapshots, snapshots.ingress)

    async def dispatcher(request: web.Request) -> web.Response:
        security.services.require_dispatcher(request.headers.get(hdrs.AUTHORIZATION), request[CLIENT])
        _require_ready(security)
        return await _snapshot(request, snapshots, snapshots.dispatcher)

    app.router.add_get(OPENAPI, describe)
    app.router.add_get(INGRESS_SNAPSHOT, ingress)
    app.router.add_get(DISPATCHER_SNAPSHOT, dispatcher)
    add_portal(app)
    app[ROUTES] = tuple(routes)
    for route in routes:
        app.router.add_route(route.method, route.path, _handler(route, security))
    return app


def _require_https(request: web.Request, security: AppSecurity) -> None:
    """Raise HttpsNeeded where the browser would not keep the session cookie.

    A browser keeps a cookie for TLS only when the page came over TLS or from its own machine. The Origin header says
    how the page was opened. Without it, only a request to the portal's own host is accepted.
    """
    if not security.secure or request.secure or says_https(request.headers):
        return
    origin = request.headers.get(hdrs.ORIGIN, "null")
    asked = _host(f"http://{request.host}" if origin == "null" else origin)
    if origin.casefold().startswith("https:") or is_loopback(asked):
        return
    if origin == "null" and asked == _host(security.portal):
        return
    raise HttpsNeeded(security.portal)


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _require_ready(security: AppSecurity) -> None:
    if security.waiting_for() is not None:
        raise StoreAway


def _handler(route: ApiRoute, security: AppSecurity) -> Handler:
    """Return the aiohttp handler of one route: authenticate, authorise, read the request, do it, answer."""

    async def handle(request: web.Request) -> web.StreamResponse:
        _require_ready(security)
        if route.opens_session:
            _require_https(request, security)
        known = route.scope is not None or route.any_scope
        caller = await _caller(request, security) if known else _anyone(request)
        structlog.contextvars.bind_contextvars(caller=caller.id)
        if route.scope is not None:
            caller.require(route.scope)
        call = await read_call(request, caller, takes_body=route.body is not None)
        answer = await _answer(route, call, dry=DRY_RUN_HEADER in request.headers)
        if isinstance(answer, LiveStream):
            may_continue = partial(_may_continue, request, security, route.scope, answer.watch.tenant_id)
            headers = {**_SECURITY_HEADERS, "X-Request-ID": request[REQUEST_ID]}
            return await stream(request, answer.watch, answer.timing, may_continue, headers)
        if isinstance(answer, Opened | SessionClosed):
            return _session_answer(request, security, answer, route.status)
        return _response(route, answer)

    return handle


def _response(route: ApiRoute, answer: Listing | BaseModel | None) -> web.Response:
    if answer is None:
        return web.Response(status=route.status)
    if isinstance(answer, Listing):
        more, items = b'"more":true,' if answer.more else b"", b",".join(map(_encode, answer.items))
        return _json(b'{"count":%d,%s"items":[%s]}' % (answer.count, more, items), route.status)
    response = _json(_encode(answer), route.status)
    if isinstance(answer, Stamps):
        response.headers[hdrs.ETAG] = f'"{answer.version}"'
        if route.status is HTTPStatus.CREATED:
            response.headers[hdrs.LOCATION] = f"{route.path}/{answer.id}"
    return response


async def _answer(route: ApiRoute, call: Call, *, dry: bool) -> Answer:
    """Do what is asked, or report everything that is wrong with it. A `dry` run of a change writes nothing."""
    creates = route.method == hdrs.METH_POST and route.status is HTTPStatus.CREATED and route.scope is not None
    if not creates and route.method not in {hdrs.METH_PATCH, hdrs.METH_PUT}:
        return await route.handle(call)
    try:
        return await (run_dry(route.handle, call) if dry else route.handle(call))
    except Problem as problem:
        raise await find_all_errors(problem, route.handle, call, creates=creates) from None


async def _caller(request: web.Request, security: AppSecurity, *, attended: bool = True) -> Caller:
    """Return the caller: by API key if one is given, else by session. The header X-Tenant limits it to one tenant.

    Only `attended` requests keep a session alive. A page marks its automatic requests by a header.
    """
    header, request_id = request.headers.get(hdrs.AUTHORIZATION), request[REQUEST_ID]
    shown = presented(request)
    if header is None and shown.token is not None:
        attended = attended and UNATTENDED_HEADER not in request.headers
        caller = await security.sessions.caller(
            shown, request_id=request_id, address=request[CLIENT].address, extend=attended
        )
    else:
        caller = await security.authenticator.authenticate(header, request_id=request_id, client=request[CLIENT])
    tenant_id = request.headers.get(TENANT_HEADER)
    return caller if tenant_id is None else caller.within(tenant_id)


async def _may_continue(request: web.Request, security: AppSecurity, scope: Scope | None, tenant_id: str) -> bool:
    """Whether the caller of an open event stream may still see this tenant."""
    try:
        caller = await _caller(request, security, attended=False)
        if scope is not None:
            caller.require(scope)
    except (Problem, Unavailable):
        return False  # the client connects again, and that answer says why not
    return caller.sees(tenant_id)


def _anyone(request: web.Request) -> Caller:
    """Return the caller of a public route: it has no rights and sees nothing."""
    return Caller("anyone", "anyone", frozenset(), frozenset(), request[REQUEST_ID], request[CLIENT].address)


def _session_answer(
    request: web.Request, security: AppSecurity, answer: Opened | SessionClosed, status: HTTPStatus
) -> web.Response:
    secure = security.secure or request.secure or says_https(request.headers)
    if isinstance(answer, SessionClosed):
        response = web.Response(status=status)
        response.del_cookie(SESSION_COOKIE, path="/", secure=secure, httponly=True, samesite="Strict")
        return response
    response = _json(_encode(answer.view), status)
    # Without an expiry, which every use would have to move: it ends with the stored session, or with the browser.
    token = answer.session.token.get_secret_value()
    response.set_cookie(SESSION_COOKIE, token, path="/", secure=secure, httponly=True, samesite="Strict")
    if answer.device is not None:
        response.set_cookie(
            *(DEVICE_COOKIE, answer.device.get_secret_value()),
            path=f"{PREFIX}/session",
            max_age=int(DEVICE_COOKIE_LIFETIME.total_seconds()),
            secure=secure,
            httponly=True,
            samesite="Strict",
        )
    return response


def _encode(answer: BaseModel) -> bytes:
    return answer.model_dump_json().encode()


def _json(body: bytes, status: int = HTTPStatus.OK) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")


async def _snapshot(
    request: web.Request, snapshots: Snapshots, render: Callable[[], Awaitable[Rendered]]
) -> web.Response:
    version = await snapshots.version()
    if etag_matches(request.headers.get(hdrs.IF_NONE_MATCH), _etag(version)):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers={hdrs.ETAG: _etag(version)})
    rendered = await render()
    response = _json(rendered.body)
    response.headers[hdrs.ETAG] = _etag(rendered.version)
    return response


def _etag(version: str) -> str:
    return f'"{version}"'


@web.middleware
async def _answer_in_one_shape(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, log it in one line, and turn every exception into the API's one error shape."""
    given = request.headers.get("X-Request-ID", "")
    request[CLIENT] = request.app[PROXIES].client(request.remote, request.headers)
    request[REQUEST_ID] = given if _GIVEN_REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    begun = time.monotonic()
    with structlog.contextvars.bound_contextvars(request_id=request[REQUEST_ID]):
        response = await _guarded(request, handler)
        response.headers["X-Request-ID"] = request[REQUEST_ID]
        for name, value in _SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        resource = request.match_info.route.resource
        path = resource.canonical if resource is not None else "unknown"
        took = round((time.monotonic() - begun) * 1000, 1)
        log = _log.debug if path in _PROBES or response.status == HTTPStatus.NOT_MODIFIED else _log.info
        log("config.request", method=_known(request.method), route=path, status=response.status, milliseconds=took)
        structlog.contextvars.unbind_contextvars("caller")
    return response


async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001  # the caller gets the API's one error shape for any of them
        problem = _problem(error)
        if isinstance(problem, Internal):
            # Without the exception's text, which may quote the request.
            where = code_places(error)
            _log.error("config.request_failed", method=_known(request.method), error=type(error).__name__, where=where)
        return _refusal(problem, request)


def _known(method: str) -> str:
    """Return the method for a log line. A client may send any word as a method, even a secret."""
    return method if method in hdrs.METH_ALL else "unknown"


def _problem(error: Exception) -> Problem:
    """Return the answer to an exception."""
    match error:
        case Problem():
            return error
        case Unavailable(code=Code.BROKER_UNAVAILABLE):
            return BrokerAway()
        case Unavailable():
            return StoreAway()
        case web.HTTPNotFound():
            return NotFound("There is nothing at this address.")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return MethodNotAllowed(f"This address takes {allowed}.", headers={hdrs.ALLOW: allowed})
    return Internal()


def _refusal(problem: Problem, request: web.Request) -> web.Response:
    response = _json(problem.body(request[REQUEST_ID]).model_dump_json().encode(), problem.status)
    response.headers.update(problem.headers)
    return response
