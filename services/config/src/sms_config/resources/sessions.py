"""Log-in by user name and password, and sessions: a random cookie, of which only the hash is stored."""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import SecretStr

from sms_common.http.proxies import PeerAddress
from sms_common.input.pasted import trimmed
from sms_config.access.auth import Caller, FailureThrottle, Scope, digest
from sms_config.access.device_cookies import DeviceCookies
from sms_config.access.passwords import Passwords
from sms_config.model.problems import CsrfRefused, LogInFailed, Unauthenticated
from sms_config.model.query import Clause, Order, Query
from sms_config.model.records import Role, TenantRecord, Ticket, UserRecord
from sms_config.resources.users import view
from sms_config.schemas.bodies import JsonObject, LogIn, parse
from sms_config.schemas.fields import normalised
from sms_config.schemas.views import SessionView, TenantName
from sms_config.storage.store_protocol import EVERYONE, Store

# 32 bytes: 256 bits from the operating system.
TOKEN_BYTES = 32
SESSION_LIFETIME = timedelta(hours=12)
# The end of a session moves at most this often: one write a minute, however busy its user is.
_EXTEND_EVERY = timedelta(minutes=1)
_MAX_TOKEN = 128
_MAX_TENANTS = 100


@dataclass(frozen=True, slots=True)
class LoginClient:
    """Where a log-in comes from: an address, and a device cookie if the browser has one."""

    address: PeerAddress = field(default_factory=PeerAddress)
    device_cookie: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Presented:
    """What a browser sends: the session cookie and the X-CSRF-Token header. `changes`: the method is unsafe."""

    token: SecretStr | None = None
    csrf: str = ""
    changes: bool = False
    client: LoginClient = field(default_factory=LoginClient)


@dataclass(frozen=True, slots=True)
class Session:
    """An open session. `token` is what the cookie holds."""

    user: UserRecord
    token: SecretStr
    expires_at: datetime

    @property
    def csrf_token(self) -> str:
        """Proof that a request comes from our own page: another site can send the cookie but cannot read this."""
        return digest("csrf " + self.token.get_secret_value())


class Sessions:
    """Opens, finds and closes sessions. A session ends 12 hours after its last use."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def open(self, user: UserRecord) -> Session:
        """Open a session for `user`."""
        token, now = secrets.token_urlsafe(TOKEN_BYTES), self._clock()
        ticket = Ticket(
            id=digest(token),
            purpose="session",
            created_at=now,
            expires_at=now + SESSION_LIFETIME,
            user_id=user.id,
            generation=user.generation,
        )
        await self._store.add_ticket(ticket)
        return Session(user, SecretStr(token), ticket.expires_at)

    async def find(self, presented: Presented, *, extend: bool = True) -> Session:
        """Return the session. With `extend`, also move its end.

        Raises Unauthenticated, and CsrfRefused for a change without the right CSRF token.
        """
        token = presented.token
        if token is None or len(token.get_secret_value()) > _MAX_TOKEN:
            raise Unauthenticated
        ticket = await self._store.ticket(digest(token.get_secret_value()))
        now = self._clock()
        if ticket is None or ticket.purpose != "session" or ticket.user_id is None or ticket.expires_at <= now:
            raise Unauthenticated
        user = await self._store.get(UserRecord, ticket.user_id, EVERYONE)
        if user is None or user.disabled or user.generation != ticket.generation:
            raise Unauthenticated
        session = Session(user, token, now + SESSION_LIFETIME)
        if presented.changes and not hmac.compare_digest(
            presented.csrf.encode("utf-8", "surrogatepass"), session.csrf_token.encode()
        ):
            raise CsrfRefused
        if extend and now + SESSION_LIFETIME - ticket.expires_at >= _EXTEND_EVERY:
            await self._store.extend_ticket(ticket.id, now + SESSION_LIFETIME)
        return session

    async def close(self, session: Session) -> None:
        """End a session."""
        await self._store.delete_ticket(digest(session.token.get_secret_value()))

    async def caller(
        self, presented: Presented, *, request_id: str, address: str | None, extend: bool = True
    ) -> Caller:
        """Return the caller of a session. Raises what `find` raises."""
        user = (await self.find(presented, extend=extend)).user
        return Caller(user.id, user.name, frozenset({Scope.ADMIN}), _tenancy(user), request_id, address)

    async def show(self, session: Session) -> SessionView:
        """Return a session as its user sees it."""
        by_name = Query(order=(Order("name"),), top=_MAX_TENANTS)
        tenants = await self._store.find(TenantRecord, by_name, _tenancy(session.user))
        return SessionView(
            user=view(session.user),
            csrf_token=session.csrf_token,
            expires_at=session.expires_at,
            tenants=tuple(TenantName(id=tenant.id, name=tenant.name) for tenant in tenants.items),
            tenant_count=tenants.count,
        )


def _tenancy(user: UserRecord) -> frozenset[str] | None:
    if user.role is Role.SYSTEM_ADMIN:
        return EVERYONE
    return frozenset() if user.tenant_id is None else frozenset({user.tenant_id})


@dataclass(frozen=True, slots=True)
class _Count:
    """One of the counts that a log-in attempt adds to."""

    throttle: FailureThrottle
    key: str


class LoginThrottle:
    """Logs people in by name and password, and limits how fast passwords can be guessed: see decision 0020.

    Failed log-ins are counted for each name and address, and for each address. The name need not exist. So nobody can
    lock a name for other addresses.

    A browser that logged in under the name before is counted apart from its address. All such browsers together have a
    limit five times as high, because somebody who had the password once may have many of them.

    Behind a proxy that is not declared, clients are told apart by the address that the proxy reports. The client can
    make that up, so the proxy's own address has a limit too, five times as high.
    """

    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        sessions: Sessions,
        device_cookies: DeviceCookies,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._sessions = sessions
        self.device_cookies = device_cookies
        self._clock = clock

        def throttle(failures: int, minutes: int) -> FailureThrottle:
            return FailureThrottle(
                clock, failures=failures, window=timedelta(minutes=minutes), message="Too many failed log-ins"
            )

        self._names_by_address, self._names_by_proxy = throttle(10, 15), throttle(50, 15)
        self._addresses, self._proxies = throttle(20, 5), throttle(100, 5)
        self._names_by_browsers = throttle(50, 15)

    async def log_in(self, given: JsonObject, client: LoginClient) -> Session:
        """Open a session. Raises LogInFailed, which never says what was wrong, TooManyFailures, Invalid."""
        body = parse(LogIn, given)
        name = body.username.casefold()
        # Counted before the password is checked, so that a thousand guesses at once count as a thousand.
        counted = self._counts(client, name)
        for one in counted:
            one.throttle.check(one.key, None)
        for one in counted:
            one.throttle.failed(one.key)
        found = await self._store.find(UserRecord, Query((Clause("name_key", "eq", (name,)),), top=1), EVERYONE)
        user = found.items[0] if found.items else None
        kept = None if user is None or user.disabled else user.password_hash
        if not await self._matches(body.password, kept) or user is None:
            raise LogInFailed
        for one in counted:
            one.throttle.forgive(one.key)
        await self._store.touch_user(user.id, self._clock())
        return await self._sessions.open(user)

    async def _matches(self, typed: SecretStr, kept: str | None) -> bool:
        """Whether a password is right, as typed or trimmed: new passwords are stored trimmed, older ones as typed."""
        written = normalised(typed.get_secret_value())
        forms = dict.fromkeys((written, trimmed(written)))
        return any([await self._passwords.matches(SecretStr(form), kept) for form in forms])

    def _counts(self, client: LoginClient, name: str) -> list[_Count]:
        """Return the counts that a log-in attempt for `name` adds to."""
        device = self.device_cookies.known(client.device_cookie, name)
        if device is not None and not self._names_by_browsers.refuses(name):
            return [_Count(self._names_by_address, repr((device, name))), _Count(self._names_by_browsers, name)]
        origin, claimed = client.address.origin, client.address.claimed
        counts = [
            _Count(self._addresses, repr((origin, claimed))),
            _Count(self._names_by_address, repr((origin, claimed, name))),
        ]
        if claimed:
            counts += [
                _Count(self._proxies, origin),
                _Count(self._names_by_proxy, repr((origin, name))),
            ]
        return counts
