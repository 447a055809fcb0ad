"""Hashing of people's passwords with Argon2id (RFC 9106), off the event loop and a few at a time."""

import asyncio
import base64
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from pydantic import SecretStr

# One hash holds 64 MiB while it is made; a flood of log-ins waits instead of taking all memory.
_AT_A_TIME = 2


class Passwords:
    """Makes and checks password hashes. By default as RFC 9106 recommends where memory is limited (section 4)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(_AT_A_TIME)
        self._nobodys = _hash_of_nothing(self._hasher)

    async def hash(self, password: SecretStr) -> str:
        """Return the hash of a password, with its own salt and parameters in it."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password.get_secret_value())

    async def matches(self, password: SecretStr, kept: str | None) -> bool:
        """Whether `kept` is the hash of the password. Without one the same work is done, and the answer is no."""
        async with self._turns:
            return await asyncio.to_thread(self._verify, password.get_secret_value(), kept or self._nobodys)

    def _verify(self, password: str, kept: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except VerifyMismatchError:
            return False


def _hash_of_nothing(hasher: PasswordHasher) -> str:
    """Return what looks like a hash and was made from no password; to verify it takes as long as a real one."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=")
        for length in (hasher.salt_len, hasher.hash_len)
    )
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"
