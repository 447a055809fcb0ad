"""Makes the first administrator: from the environment, or by a link that is printed once and works once."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from pydantic import SecretStr

from sms_config.access.auth import Caller, Scope, digest
from sms_config.model.problems import SetUpClosed
from sms_config.model.query import Query
from sms_config.model.records import Ticket, UserRecord
from sms_config.resources.sessions import TOKEN_BYTES, Session, Sessions
from sms_config.resources.users import Users
from sms_config.schemas.bodies import JsonObject, SetUp, parse
from sms_config.storage.store_protocol import EVERYONE, Store

_log = structlog.get_logger()

LINK_LIFETIME = timedelta(hours=1)
SET_UP = "set-up"


class FirstAdministrator:
    """Makes the first user, and does nothing once there is a user. `portal_url` is the base of the printed link."""

    def __init__(
        self, store: Store, users: Users, sessions: Sessions, clock: Callable[[], datetime], portal_url: str
    ) -> None:
        self._store = store
        self._users = users
        self._sessions = sessions
        self._clock = clock
        self._portal_url = portal_url

    async def prepare(self, name: str, password: SecretStr | None, show: Callable[[str], None]) -> None:
        """Make the administrator if a password is given, else `show` the link. Do nothing when there is a user."""
        if (await self._store.find(UserRecord, Query(top=1), EVERYONE)).count:
            return
        if password is not None:
            await self._make_unless_made(SetUp(token=SecretStr(""), name=name, password=password))
            return
        token, now = secrets.token_urlsafe(TOKEN_BYTES), self._clock()
        ticket = Ticket(id=digest(token), purpose="set_up", created_at=now, expires_at=now + LINK_LIFETIME)
        await self._store.add_ticket(ticket)
        # The only secret that is ever printed. Whoever reads this output runs the service and could change its
        # database. The link ends after an hour, or once the first user exists. Browsers do not send what follows the
        # `#`, so no proxy logs the token.
        show(f"No user exists yet. Make the first administrator within one hour: {self._portal_url}/#/set-up/{token}")

    async def set_up(self, given: JsonObject, caller: Caller) -> Session:
        """Make the first administrator with the printed link and log in. Raises SetUpClosed, Invalid."""
        body = parse(SetUp, given)
        ticket = await self._store.ticket(digest(body.token.get_secret_value()))
        if ticket is None or ticket.purpose != "set_up" or ticket.expires_at <= self._clock():
            raise SetUpClosed
        user = await self._make(body, caller.address, caller.request_id)
        await self._store.delete_ticket(ticket.id)
        return await self._sessions.open(user)

    async def _make_unless_made(self, body: SetUp) -> None:
        try:
            await self._make(body, None, "start")
        except SetUpClosed:
            # Another process started at the same moment and made the user after our check.
            _log.info("portal.first_administrator_there")
        else:
            _log.info("portal.first_administrator_made", user=body.name)

    async def _make(self, body: SetUp, address: str | None, request_id: str) -> UserRecord:
        maker = Caller(SET_UP, SET_UP, frozenset({Scope.ADMIN}), EVERYONE, request_id, address)
        return await self._users.create_first(maker, body)
