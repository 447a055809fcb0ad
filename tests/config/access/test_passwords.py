"""Passwords: whether one is right, told only after the same work."""

import asyncio
import threading

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from sms_config.access.passwords import Passwords
from tests.config.world import quick_passwords

RIGHT, WRONG = SecretStr("correct horse battery"), SecretStr("correct horse batterz")


@pytest.mark.parametrize(("password", "matches"), [(RIGHT, True), (WRONG, False), (SecretStr(""), False)])
async def test_a_password_is_known_by_its_hash(password, matches):
    passwords = quick_passwords()
    kept = await passwords.hash(RIGHT)

    assert await passwords.matches(password, kept) is matches


async def test_a_hash_has_its_own_salt_and_not_the_password():
    passwords = quick_passwords()
    first, second = [await passwords.hash(RIGHT) for _ in range(2)]

    assert first != second
    assert first.startswith("$argon2id$")
    assert RIGHT.get_secret_value() not in first


class Counting(PasswordHasher):
    """Hashes with hardly any work, and counts what is checked, and how much of it at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.checked: list[str | bytes] = []
        self.most = self._now = 0
        self._lock = threading.Lock()

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]  # noqa: A002
        with self._lock:
            self.checked.append(hash)
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            return super().verify(hash, password)
        finally:
            with self._lock:
                self._now -= 1


async def test_who_does_not_exist_is_refused_after_the_same_work():
    hasher = Counting()
    passwords = Passwords(hasher)

    assert not await passwords.matches(RIGHT, None)

    (checked,) = hasher.checked
    assert str(checked).split("$")[:4] == (await passwords.hash(RIGHT)).split("$")[:4]


async def test_a_flood_is_worked_through_two_at_a_time():
    hasher = Counting()
    passwords = Passwords(hasher)
    kept = await passwords.hash(RIGHT)

    assert all(await asyncio.gather(*(passwords.matches(RIGHT, kept) for _ in range(20))))

    assert (len(hasher.checked), hasher.most <= 2) == (20, True)
