"""Authentication: API keys, the bootstrap key, the tokens of the two snapshots, and a throttle against guessing."""

import hashlib
import hmac
import re
import secrets
import string
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import SecretStr

from sms_common.http.proxies import PeerAddress
from sms_config.model.problems import Forbidden, NotFound, TooManyFailures, Unauthenticated
from sms_config.storage.store_protocol import EVERYONE, Store, Tenancy

BOOTSTRAP = "bootstrap"
KEY_PREFIX_LENGTH = 12
# 32 bytes: 256 random bits, which nobody can guess. So a fast hash is enough to store them.
KEY_SECRET_BYTES = 32
_KEY = re.compile(r"sms_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_PREFIX_ALPHABET = string.ascii_lowercase + string.digits
_MAX_CREDENTIAL = 512
# The last use of a key is stored to the minute: one write a minute and key, however busy it is.
_TOUCH_EVERY = timedelta(minutes=1)


class Scope(StrEnum):
    """What a key may do. `config` and `operate` may also read; `operate` replays and discards what is parked; `admin`
    may do everything, for the tenants of its key.
    """

    SEND = "send"
    READ = "read"
    CONFIG = "config"
    OPERATE = "operate"
    ADMIN = "admin"


_GRANTS = {
    Scope.SEND: frozenset({Scope.SEND}),
    Scope.READ: frozenset({Scope.READ}),
    Scope.CONFIG: frozenset({Scope.CONFIG, Scope.READ}),
    Scope.OPERATE: frozenset({Scope.OPERATE, Scope.READ}),
    Scope.ADMIN: frozenset(Scope),
}


def granted(scopes: Iterable[str]) -> frozenset[Scope]:
    """Return these scopes and those that they include."""
    return frozenset().union(*(_GRANTS[Scope(scope)] for scope in scopes))


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated sender of a request. `tenancy` limits every query made for it."""

    id: str
    name: str
    scopes: frozenset[Scope]
    tenancy: Tenancy
    request_id: str = ""
    address: str | None = None
    # Whether a caller for all tenants has limited itself to one of them.
    of_system: bool = False

    @property
    def administers(self) -> bool:
        """Whether the caller administers the whole system, even if it has limited itself to one tenant."""
        return self.of_system or self.tenancy is EVERYONE

    @property
    def granted(self) -> frozenset[Scope]:
        """The scopes and those that they include."""
        return granted(self.scopes)

    def require(self, scope: Scope) -> None:
        """Raise Forbidden unless the caller has `scope`."""
        if scope not in self.granted:
            raise Forbidden(f"This needs a credential with the scope {scope}.")

    def require_all_tenants(self) -> None:
        """Raise Forbidden unless the caller sees every tenant."""
        if self.tenancy is not EVERYONE:
            raise Forbidden("This needs a credential for all tenants.")

    @property
    def only_tenant(self) -> str | None:
        """The caller's tenant, if it has exactly one."""
        return next(iter(self.tenancy)) if self.tenancy is not None and len(self.tenancy) == 1 else None

    def within(self, tenant_id: str) -> "Caller":
        """Return this caller limited to one of its tenants. Raises NotFound for any other tenant."""
        if not self.sees(tenant_id):
            raise NotFound("There is no such tenant.")
        return replace(self, tenancy=frozenset({tenant_id}), of_system=self.administers)

    def sees(self, tenant_id: str) -> bool:
        """Whether the tenant is the caller's."""
        return self.tenancy is None or tenant_id in self.tenancy


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key: `key` is shown once, `prefix` and `sha256` are stored."""

    key: SecretStr
    prefix: str
    sha256: str


def new_key() -> NewKey:
    """Return a fresh random API key."""
    prefix = "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(KEY_PREFIX_LENGTH))
    key = f"sms_{prefix}_{secrets.token_urlsafe(KEY_SECRET_BYTES)}"
    return NewKey(SecretStr(key), prefix, digest(key))


def digest(credential: str) -> str:
    """Return the SHA-256 of a credential, in hex. It is stored and compared instead of the credential."""
    return hashlib.sha256(credential.encode("utf-8", "surrogatepass")).hexdigest()


def has_digest(credential: str, sha256: str) -> bool:
    """Whether `credential` has this SHA-256. It takes the same time for every wrong credential."""
    return hmac.compare_digest(digest(credential).encode(), sha256.encode())


def bearer(header: str | None) -> str | None:
    """Return the token in an Authorization header, or None when there is none in the form of RFC 6750."""
    kind, _, token = (header or "").partition(" ")
    token = token.strip()
    return token if kind.lower() == "bearer" and 0 < len(token) <= _MAX_CREDENTIAL else None


class FailureThrottle:
    """Counts wrong credentials by address within a window, and refuses an address that had too many.

    A credential that was right from the same address before is checked all the same, so that one caller's mistakes do
    not lock out others behind the same proxy. The counts are in memory, so each process has its own. At most
    `max_tracked` addresses and credentials are kept; the oldest are dropped.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        failures: int = 20,
        window: timedelta = timedelta(minutes=1),
        max_tracked: int = 10_000,
        message: str = "Too many requests with a wrong credential came from this address",
    ) -> None:
        self._clock = clock
        self._failures = failures
        self._window = window
        self._max_tracked = max_tracked
        self._message = message
        self._failures_of: OrderedDict[str, tuple[datetime, int]] = OrderedDict()
        self._accepted: OrderedDict[tuple[str, str], None] = OrderedDict()

    def check(self, address: str, credential: str | None) -> None:
        """Raise TooManyFailures while the address is refused."""
        left = self._left(address)
        if left > 0 and (credential is None or (address, digest(credential)) not in self._accepted):
            raise TooManyFailures(self._message, int(left) + 1)

    def refuses(self, address: str) -> bool:
        """Whether the address is refused."""
        return self._left(address) > 0

    def _left(self, address: str) -> float:
        """Return for how many seconds the address is still refused. An ended refusal is deleted."""
        since, count = self._failures_of.get(address, (None, 0))
        if since is None or count < self._failures:
            return 0.0
        left = (since + self._window - self._clock()).total_seconds()
        if left <= 0:
            del self._failures_of[address]
        return left

    def failed(self, address: str) -> None:
        """Count a wrong credential from the address."""
        now = self._clock()
        since, count = self._failures_of.pop(address, (now, 0))
        self._failures_of[address] = (since, count + 1) if now - since < self._window else (now, 1)
        if len(self._failures_of) > self._max_tracked:
            self._failures_of.popitem(last=False)

    def forgive(self, address: str) -> None:
        """Undo one count, for a credential that turned out to be right."""
        since, count = self._failures_of.get(address, (None, 0))
        if since is not None:
            self._failures_of[address] = (since, max(count - 1, 0))

    def succeeded(self, address: str, credential: str) -> None:
        """Remember a credential that was right."""
        self._accepted.pop((address, digest(credential)), None)
        self._accepted[(address, digest(credential))] = None
        if len(self._accepted) > self._max_tracked:
            self._accepted.popitem(last=False)


class Authenticator:
    """Turns an Authorization header into a Caller. It holds only the hash of the bootstrap key."""

    def __init__(
        self, store: Store, throttle: FailureThrottle, bootstrap: SecretStr | None, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._throttle = throttle
        self._bootstrap = digest(bootstrap.get_secret_value()) if bootstrap else None
        self._clock = clock

    async def authenticate(self, header: str | None, *, request_id: str, client: PeerAddress) -> Caller:
        """Raise Unauthenticated, TooManyFailures, or Unavailable when the store cannot be asked."""
        token = bearer(header)
        generated = token is not None and _KEY.fullmatch(token) is not None
        # A generated key is never locked out by the failures of others: its 256 random bits cannot be guessed. The
        # bootstrap key is chosen by an operator, so it is throttled.
        if not generated:
            self._throttle.check(client.origin, token)
        if token is None:
            # A request without a credential is no guess.
            raise Unauthenticated
        caller = await self._caller(token, request_id, client.address)
        if caller is None:
            self._throttle.check(client.origin, None)
            self._throttle.failed(client.origin)
            raise Unauthenticated
        self._throttle.succeeded(client.origin, token)
        return caller

    async def _caller(self, token: str, request_id: str, address: str | None) -> Caller | None:
        if self._bootstrap is not None and has_digest(token, self._bootstrap):
            return Caller(BOOTSTRAP, BOOTSTRAP, frozenset({Scope.ADMIN}), EVERYONE, request_id, address)
        form = _KEY.fullmatch(token)
        record = await self._store.api_key(form.group(1)) if form else None
        if record is None or not has_digest(token, record.sha256):
            return None
        now = self._clock()
        if record.expires_at is not None and record.expires_at <= now:
            return None
        if record.last_used_at is None or now - record.last_used_at >= _TOUCH_EVERY:
            await self._store.touch_api_key(record.id, now)
        tenancy = None if record.tenants is None else frozenset(record.tenants)
        return Caller(record.id, record.name, frozenset(Scope(s) for s in record.scopes), tenancy, request_id, address)


class ServiceTokens:
    """The two internal tokens. Each opens one snapshot and nothing else. Only their hashes are kept in memory."""

    def __init__(self, throttle: FailureThrottle, *, ingress: SecretStr, dispatcher: SecretStr) -> None:
        self._throttle = throttle
        self._ingress = digest(ingress.get_secret_value())
        self._dispatcher = digest(dispatcher.get_secret_value())

    def require_ingress(self, header: str | None, client: PeerAddress) -> None:
        """Raise Unauthenticated unless the header carries ingress's token."""
        self._require(header, self._ingress, client)

    def require_dispatcher(self, header: str | None, client: PeerAddress) -> None:
        """Raise Unauthenticated unless the header carries the dispatcher's token."""
        self._require(header, self._dispatcher, client)

    def _require(self, header: str | None, sha256: str, client: PeerAddress) -> None:
        token = bearer(header)
        self._throttle.check(client.origin, token)
        if token is None:
            raise Unauthenticated
        if not has_digest(token, sha256):
            self._throttle.failed(client.origin)
            raise Unauthenticated
        self._throttle.succeeded(client.origin, token)
