"""Encryption of secrets at rest: AES-256-GCM with a ring of named keys. Pure, without records or a database."""

import base64
import binascii
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

KEY_BYTES = 32
# 96 bits is the nonce length AES-GCM is defined for without extra hashing (NIST SP 800-38D, 8.2).
NONCE_BYTES = 12
# Part of the associated data, so that a ciphertext of one layout is never accepted as one of another.
LAYOUT = 1
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class KeyRingError(ValueError):
    """The text of a key ring cannot be used; the message says which entry is wrong and never repeats a key."""


class SealBroken(Exception):  # the name says what was found
    """An encrypted value cannot be decrypted: its key is not on the ring, or the value was changed or moved."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an encrypted value belongs. Moved to another record, tenant or field, it can no longer be decrypted."""

    collection: str
    record_id: str
    tenant_id: str
    field: str

    def associated_data(self) -> bytes:
        """Return these names and the layout version as bytes; different places never give the same bytes."""
        return json.dumps([LAYOUT, self.collection, self.record_id, self.tenant_id, self.field]).encode()


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted value: the id of its key, and the nonce followed by the ciphertext with its tag."""

    key_id: str
    data: bytes


class KeyRing:
    """Named AES-256 keys. The first one encrypts, every one decrypts."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise KeyRingError("The key ring is empty; one entry has the form keyid:base64-of-32-bytes.")
        for key_id, key in keys.items():
            _check(key_id, key)
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.current = next(iter(keys))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the ring written as `keyid:base64-of-32-bytes[,older:...]`, in either base64. Raises KeyRingError."""
        keys: dict[str, bytes] = {}
        for position, entry in enumerate((part.strip() for part in text.split(",") if part.strip()), start=1):
            key_id, colon, encoded = entry.partition(":")
            if not colon:
                raise KeyRingError(f"Entry {position} of the key ring is not keyid:base64-of-32-bytes.")
            if key_id in keys:
                raise KeyRingError(f"The key id of entry {position} of the key ring occurs twice.")
            keys[key_id] = _decode(encoded, position)
        return cls(keys)

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all keys on the ring."""
        return frozenset(self._ciphers)

    def missing(self, key_ids: Iterable[str]) -> list[str]:
        """Return those of `key_ids` that are not on the ring, sorted."""
        return sorted(set(key_ids) - self.ids)

    def seal(self, value: SecretStr, place: Place) -> Sealed:
        """Return `value` encrypted with the first key and a random nonce, bound to `place`."""
        nonce = os.urandom(NONCE_BYTES)
        clear = value.get_secret_value().encode()
        return Sealed(self.current, nonce + self._ciphers[self.current].encrypt(nonce, clear, place.associated_data()))

    def open(self, sealed: Sealed, place: Place) -> SecretStr:
        """Decrypt the value that belongs to `place`. Raises SealBroken."""
        where = f"{place.field} of {place.collection} {place.record_id}"
        cipher = self._ciphers.get(sealed.key_id)
        if cipher is None:
            raise SealBroken(f"The key {sealed.key_id} that sealed {where} is not on the ring.")
        nonce, ciphertext = sealed.data[:NONCE_BYTES], sealed.data[NONCE_BYTES:]
        try:
            return SecretStr(cipher.decrypt(nonce, ciphertext, place.associated_data()).decode())
        except (InvalidTag, ValueError):
            raise SealBroken(f"What is stored as {where} was changed, moved or sealed otherwise.") from None


def new_entry(key_id: str) -> str:
    """Return a key ring entry with a new random key."""
    return f"{key_id}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}"


def _check(key_id: str, key: bytes) -> None:
    if not _KEY_ID.fullmatch(key_id):
        raise KeyRingError("A key id is 1 to 32 letters, digits, underscores and hyphens.")
    if len(key) != KEY_BYTES:
        raise KeyRingError(f"The key {key_id} has {len(key)} bytes; AES-256 needs {KEY_BYTES}.")


def _decode(encoded: str, position: int) -> bytes:
    standard = encoded.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except binascii.Error:
        raise KeyRingError(f"The key of entry {position} of the key ring is not base64.") from None
