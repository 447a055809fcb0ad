"""Access tokens of the OAuth2 client credentials grant: issued, checked, expired, revoked and counted."""

import base64
import secrets
from collections import OrderedDict
from dataclasses import dataclass

import orjson

from carrier_simulator.carrier.clock import Clock

__all__ = ["IssuedTokens"]

_LIVE_TOKENS = 10_000  # far more than clients keep; a client that never caches must not fill the memory


@dataclass(frozen=True, slots=True)
class _IssuedToken:
    client_id: str
    expires_at: float


class IssuedTokens:
    """The valid tokens. They look like JWTs that name their accounts, as Bandwidth's do, but are checked by look-up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._live: OrderedDict[str, _IssuedToken] = OrderedDict()
        self.calls = 0
        self.issued = 0

    def issue(self, client_id: str, accounts: frozenset[str], expires_in: float) -> str:
        """Return a new token of `client_id` for `expires_in` seconds; earlier ones stay valid."""
        expires_at = self._clock.time() + expires_in
        claims = {"sub": client_id, "exp": int(expires_at), "accounts": sorted(accounts), "jti": secrets.token_hex(8)}
        parts = (orjson.dumps({"alg": "RS256", "typ": "JWT"}), orjson.dumps(claims), secrets.token_bytes(32))
        token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
        self._live[token] = _IssuedToken(client_id, expires_at)
        self.issued += 1
        while len(self._live) > _LIVE_TOKENS:
            self._live.popitem(last=False)
        return token

    def client(self, token: str) -> str | None:
        """Return the client id of a token that is still valid, else None."""
        known = self._live.get(token)
        if known is None:
            return None
        if known.expires_at <= self._clock.time():
            del self._live[token]
            return None
        return known.client_id

    def revoke_all(self) -> int:
        """Revoke every token and return how many there were."""
        count = len(self._live)
        self._live.clear()
        return count

    @property
    def live(self) -> int:
        """How many tokens are kept, including expired ones that were not used since."""
        return len(self._live)
