"""Hashes passwords with Argon2id (RFC 9106), off the event loop and a few at a time."""

import asyncio
import base64
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from pydantic import SecretStr

# One hash needs 64 MiB while it is computed. A flood of log-ins waits instead of taking all memory.
_MAX_CONCURRENT = 2


class Passwords:
    """Makes and checks password hashes. The default is what RFC 9106, section 4, recommends where memory is limited."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(_MAX_CONCURRENT)
        self._dummy_hash = _make_dummy_hash(self._hasher)

    async def hash(self, password: SecretStr) -> str:
        """Return the hash of a password, with its own salt and parameters in it."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password.get_secret_value())

    async def matches(self, password: SecretStr, kept: str | None) -> bool:
        """Whether `kept` is the hash of the password. Without a hash the answer is no, after the same work."""
        async with self._slots:
            return await asyncio.to_thread(self._verify, password.get_secret_value(), kept or self._dummy_hash)

    def _verify(self, password: str, kept: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except VerifyMismatchError:
            return False


def _make_dummy_hash(hasher: PasswordHasher) -> str:
    """Return a hash of no password. To check it takes as long as to check a real one."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=")
        for length in (hasher.salt_len, hasher.hash_len)
    )
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"
