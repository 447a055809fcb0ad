"""The table of the REST API's routes: method, address, scope, models and what is done. OpenAPI is made from it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, SecretStr

from sms_config.access.auth import Caller, Scope
from sms_config.http.requests import Call
from sms_config.model.query import Columns, Query, parse_query
from sms_config.operations.message_history import MessageHistory
from sms_config.operations.server_sent_events import LiveWatch, StreamTiming
from sms_config.resources import api_keys, audit, configs, tenants, trunks, users
from sms_config.resources.first_administrator import FirstAdministrator
from sms_config.resources.sessions import LoginThrottle, Session, Sessions
from sms_config.schemas.bodies import (
    ApiKeyWrite,
    JsonObject,
    LogIn,
    MessageFilter,
    OneMessage,
    Rotation,
    SetUp,
    SmsCreate,
    SmsWrite,
    TenantCreate,
    TenantWrite,
    TrunkCreate,
    TrunkWrite,
    UserChange,
    UserCreate,
    parse,
)
from sms_config.schemas.views import (
    ApiKeyView,
    AuditView,
    MessageView,
    NewApiKeyView,
    SessionView,
    SmsView,
    TenantView,
    TrunkView,
    UserView,
)
from sms_config.storage.store_protocol import Page, R

PREFIX = "/api/v1"
Method = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
V = TypeVar("V", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of objects. `count` is the number on all pages; with `more` there are at least that many."""

    count: int
    items: Sequence[BaseModel]
    more: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer that sets the session cookie and, after a log-in, the device cookie."""

    view: SessionView
    session: Session
    device: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """An empty answer that removes the session cookie."""


@dataclass(frozen=True, slots=True)
class LiveStream:
    """An answer that stays open: events for `watch`, as long as the caller may see its tenant."""

    watch: LiveWatch
    timing: StreamTiming


Answer = BaseModel | Listing | Opened | SessionClosed | LiveStream | None


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One operation. `body` is what it takes (with `partial` every field may be absent), `answer` what it shows.

    `scope` None: anyone may call, and the handler checks the credentials itself; with `any_scope` every known caller
    may, and nobody else. `asks` are the query parameters.
    `single`: there is one such object, at an address without an id. `streams`: it answers with server-sent events.
    `opens_session`: it sets a session cookie, so it is refused where the browser would not keep the cookie.
    """

    method: Method
    path: str
    operation: str
    summary: str
    scope: Scope | None
    handle: Callable[[Call], Awaitable[Answer]]
    answer: type[BaseModel] | None = None
    status: HTTPStatus = HTTPStatus.OK
    body: type[BaseModel] | None = None
    partial: bool = False
    columns: Columns | None = None
    asks: type[BaseModel] | None = None
    single: bool = False
    versioned: bool = False
    streams: bool = False
    opens_session: bool = False
    any_scope: bool = False


class Readable(Protocol[R]):
    """A resource that can be read."""

    async def find(self, caller: Caller, query: Query) -> Page[R]:
        """Return a page of the caller's records."""

    async def read(self, caller: Caller, object_id: str, /) -> R:
        """One of the caller's records."""


class Writable(Readable[R], Protocol[R]):
    """A resource that can be changed."""

    async def update(
        self, caller: Caller, object_id: str, given: JsonObject, /, *, version: int | None, replace: bool
    ) -> R:
        """Change a record."""

    async def delete(self, caller: Caller, object_id: str, /, *, version: int | None) -> None:
        """Remove a record."""


@dataclass(frozen=True, slots=True)
class Resource(Generic[R]):
    """What the routes of one resource share. `show` renders records. `masked` removes what only callers who may change
    the resource may see.
    """

    path: str
    noun: str
    columns: Columns
    view: type[BaseModel]
    show: Callable[[Sequence[R]], Awaitable[Sequence[BaseModel]]]
    read_scope: Scope = Scope.READ
    write_scope: Scope = Scope.CONFIG
    masked: Callable[[BaseModel], BaseModel] | None = None

    async def shown(self, records: Sequence[R], caller: Caller) -> Sequence[BaseModel]:
        """Return records as the caller may see them."""
        views = await self.show(records)
        if self.masked is None or self.write_scope in caller.granted:
            return views
        return [self.masked(view) for view in views]

    async def one(self, record: R) -> BaseModel:
        """Return one record, rendered."""
        return (await self.show([record]))[0]


def readable(resource: Resource[R], records: Readable[R]) -> list[ApiRoute]:
    """Return the routes that read a resource."""

    async def list_all(call: Call) -> Listing:
        page = await records.find(call.caller, parse_query(call.parameters, resource.columns))
        return Listing(page.count, await resource.shown(page.items, call.caller), page.more)

    async def read(call: Call) -> BaseModel:
        return (await resource.shown([await records.read(call.caller, call.object_id)], call.caller))[0]

    path, noun, scope, view = f"{PREFIX}/{resource.path}", resource.noun, resource.read_scope, resource.view
    return [
        ApiRoute("GET", path, f"list_{noun}s", f"List {noun}s", scope, list_all, view, columns=resource.columns),
        ApiRoute("GET", path + "/{id}", f"read_{noun}", f"Read one {noun}", scope, read, view),
    ]


def writable(resource: Resource[R], records: Writable[R], write: type[BaseModel]) -> list[ApiRoute]:
    """Return the routes that change and remove records of a resource."""

    async def change(call: Call, *, replace: bool) -> BaseModel:
        changed = records.update(call.caller, call.object_id, call.given, version=call.version, replace=replace)
        return await resource.one(await changed)

    async def delete(call: Call) -> None:
        await records.delete(call.caller, call.object_id, version=call.version)

    path, noun = f"{PREFIX}/{resource.path}/{{id}}", resource.noun
    route = partial(ApiRoute, scope=resource.write_scope, versioned=True)
    updating = partial(route, answer=resource.view, body=write)
    update = updating(
        *("PATCH", path, f"update_{noun}", f"Change some fields of a {noun}"),
        handle=partial(change, replace=False),
        partial=True,
    )
    replace = updating(
        *("PUT", path, f"replace_{noun}", f"Set all fields of a {noun}; secrets that are absent stay"),
        handle=partial(change, replace=True),
    )
    deleting = partial(route, handle=delete, status=HTTPStatus.NO_CONTENT)
    return [
        update,
        replace,
        deleting("DELETE", path, f"delete_{noun}", f"Delete a {noun}"),
        deleting("POST", path + "/destroy", f"destroy_{noun}", f"Delete a {noun}, as PortSIP does it"),
    ]


def create(
    resource: Resource[R], body: type[BaseModel], make: Callable[[Caller, JsonObject], Awaitable[R]]
) -> ApiRoute:
    """Return the route that adds a record to a resource."""

    async def handle(call: Call) -> BaseModel:
        return await resource.one(await make(call.caller, call.given))

    path, noun = f"{PREFIX}/{resource.path}", resource.noun
    return ApiRoute(
        *("POST", path, f"create_{noun}", f"Create a {noun}", resource.write_scope),
        *(handle, resource.view, HTTPStatus.CREATED, body),
    )


def each(view: Callable[[R], V]) -> Callable[[Sequence[R]], Awaitable[Sequence[V]]]:
    """Render records one by one."""

    async def show(records: Sequence[R]) -> list[V]:
        return [view(record) for record in records]

    return show


def sms_actions(resource: Resource[R], records: "configs.SmsConfigs") -> list[ApiRoute]:
    """Return the routes that do more to an SMS configuration than change its fields."""

    async def switch(call: Call, *, enabled: bool) -> BaseModel:
        return (await records.views([await records.switch(call.caller, call.object_id, enabled=enabled)]))[0]

    async def rotate(call: Call) -> BaseModel:
        return (await records.views([await records.rotate_webhook(call.caller, call.object_id, call.given)]))[0]

    path, route = f"{PREFIX}/{resource.path}/{{id}}", partial(ApiRoute, scope=resource.write_scope, answer=SmsView)
    enable, disable = partial(switch, enabled=True), partial(switch, enabled=False)
    return [
        route("POST", f"{path}/enable", "enable_sms_configuration", "Enable an SMS configuration", handle=enable),
        route("POST", f"{path}/disable", "disable_sms_configuration", "Disable an SMS configuration", handle=disable),
        route(
            *("POST", f"{path}/rotate-webhook", "rotate_webhook", "Give an SMS configuration a new webhook URL"),
            handle=rotate,
            body=Rotation,
        ),
    ]


def _masked(view: BaseModel) -> BaseModel:
    return configs.without_token(view) if isinstance(view, SmsView) else view


def key_creation(resource: Resource[R], keys: api_keys.ApiKeys) -> ApiRoute:
    """Return the route that makes a key. Its answer is the only one that shows the key."""

    async def handle(call: Call) -> BaseModel:
        return await keys.create(call.caller, call.given)

    path, summary = f"{PREFIX}/{resource.path}", "Make an API key; the answer shows it this once"
    return ApiRoute(
        *("POST", path, "create_api_key", summary, resource.write_scope),
        *(handle, NewApiKeyView, HTTPStatus.CREATED, ApiKeyWrite),
    )


def session_routes(sessions: Sessions, throttle: LoginThrottle, first: FirstAdministrator) -> list[ApiRoute]:
    """Return the routes by which people log in and out, and the one that makes the first user."""

    async def opened(session: Session) -> Opened:
        cookie = throttle.device_cookies.issue(session.user.name_key)
        return Opened(await sessions.show(session), session, cookie)

    async def log_in(call: Call) -> Opened:
        return await opened(await throttle.log_in(call.given, call.presented.client))

    async def set_up(call: Call) -> Opened:
        return await opened(await first.set_up(call.given, call.caller))

    async def read(call: Call) -> Opened:
        session = await sessions.find(call.presented)
        return Opened(await sessions.show(session), session)

    async def log_out(call: Call) -> SessionClosed:
        await sessions.close(await sessions.find(call.presented))
        return SessionClosed()

    path, route = f"{PREFIX}/session", partial(ApiRoute, scope=None)
    opening = partial(route, answer=SessionView, status=HTTPStatus.CREATED, opens_session=True)
    summary = "Log in; the session is in the cookie"
    return [
        opening("POST", path, "log_in", summary, handle=log_in, body=LogIn),
        route("GET", path, "who_am_i", "Tell who is logged in", handle=read, answer=SessionView),
        route("DELETE", path, "log_out", "Log out", handle=log_out, status=HTTPStatus.NO_CONTENT),
        opening("POST", f"{PREFIX}/set-up", "set_up", "Make the first user", handle=set_up, body=SetUp),
    ]


def message_routes(messages: MessageHistory) -> list[ApiRoute]:
    """Return the routes that read the message history."""

    async def list_all(call: Call) -> Listing:
        return Listing(*await messages.find(call.caller, parse(MessageFilter, dict(call.parameters))))

    async def read(call: Call) -> BaseModel:
        return await messages.read(call.caller, call.object_id, parse(OneMessage, dict(call.parameters)))

    path, scope, view = f"{PREFIX}/messages", Scope.READ, MessageView
    return [
        ApiRoute("GET", path, "list_messages", "List messages", scope, list_all, view, asks=MessageFilter),
        ApiRoute("GET", path + "/{id}", "read_message", "Read one message", scope, read, view, asks=OneMessage),
    ]


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources that the routes of this module serve."""

    tenants: tenants.Tenants
    trunks: trunks.Trunks
    configs: configs.SmsConfigs
    api_keys: api_keys.ApiKeys
    audit: audit.Audit
    users: users.Users
    sessions: Sessions
    login_throttle: LoginThrottle
    first_administrator: FirstAdministrator
    history: MessageHistory


def routes(resources: Resources) -> list[ApiRoute]:
    """Return the routes of this module."""
    tenant = Resource("tenants", "tenant", tenants.COLUMNS, TenantView, each(tenants.view))
    trunk = Resource("trunks", "trunk", trunks.COLUMNS, TrunkView, each(trunks.view))
    sms = Resource("sms", "sms_configuration", configs.COLUMNS, SmsView, resources.configs.views, masked=_masked)
    key = Resource("api-keys", "api_key", api_keys.COLUMNS, ApiKeyView, each(api_keys.view), Scope.ADMIN, Scope.ADMIN)
    user = Resource("users", "user", users.COLUMNS, UserView, each(users.view), Scope.ADMIN, Scope.ADMIN)
    record = Resource("audit", "audit_record", audit.COLUMNS, AuditView, each(resources.audit.view), Scope.ADMIN)
    return [
        *readable(tenant, resources.tenants),
        create(tenant, TenantCreate, resources.tenants.create),
        *writable(tenant, resources.tenants, TenantWrite),
        *readable(trunk, resources.trunks),
        create(trunk, TrunkCreate, resources.trunks.create),
        *writable(trunk, resources.trunks, TrunkWrite),
        *readable(sms, resources.configs),
        create(sms, SmsCreate, resources.configs.create),
        *writable(sms, resources.configs, SmsWrite),
        *sms_actions(sms, resources.configs),
        *readable(key, resources.api_keys),
        key_creation(key, resources.api_keys),
        *writable(key, resources.api_keys, ApiKeyWrite),
        *readable(user, resources.users),
        create(user, UserCreate, resources.users.create),
        *writable(user, resources.users, UserChange),
        *session_routes(resources.sessions, resources.login_throttle, resources.first_administrator),
        *message_routes(resources.history),
        *readable(record, resources.audit),
    ]
