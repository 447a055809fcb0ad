"""Stored media: files that customers upload and files of inbound messages. Each is deleted after its lifetime."""

import base64
import binascii
from collections import OrderedDict
from dataclasses import dataclass

from carrier_simulator.carrier.clock import Clock

__all__ = ["MediaStore", "StoredFile"]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One stored file; its name may contain slashes."""

    name: str
    content: bytes
    content_type: str
    cache_control: str | None
    stored_at: float


class MediaStore:
    """The files of all accounts: kept for `lifetime` seconds, `capacity` bytes in all (the oldest is deleted first)."""

    def __init__(self, clock: Clock, lifetime: float, capacity: int) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._capacity = capacity
        self._items: OrderedDict[tuple[str, str], StoredFile] = OrderedDict()
        self.size = 0

    def put(
        self, account_id: str, name: str, content: bytes, content_type: str, cache_control: str | None = None
    ) -> None:
        """Store a file under its name; replaces an earlier file of that name."""
        self.delete(account_id, name)
        item = StoredFile(name, content, content_type, cache_control, self._clock.time())
        self._items[account_id, name] = item
        self.size += len(content)
        while self.size > self._capacity and len(self._items) > 1:
            self.delete(*next(iter(self._items)))

    def get(self, account_id: str, name: str) -> StoredFile | None:
        """Return the file, or None if it does not exist or has expired."""
        self._remove_old()
        return self._items.get((account_id, name))

    def delete(self, account_id: str, name: str) -> bool:
        """Delete the file; return whether it existed."""
        item = self._items.pop((account_id, name), None)
        if item is not None:
            self.size -= len(item.content)
        return item is not None

    def page(self, account_id: str, size: int, token: str | None) -> tuple[list[StoredFile], str | None]:
        """Return up to `size` files by name, from the token's position on, and the token of the next page or None.

        Raises ValueError for a token that this store did not issue.
        """
        self._remove_old()
        after = _read_token(token)
        items = sorted(
            (item for (owner, _), item in self._items.items() if owner == account_id), key=lambda one: one.name
        )
        rest = [item for item in items if item.name > after]
        page = rest[:size]
        return page, _make_token(page[-1].name) if len(rest) > size else None

    def clear(self) -> None:
        """Forget every file."""
        self._items.clear()
        self.size = 0

    def _remove_old(self) -> None:
        limit = self._clock.time() - self._lifetime
        while self._items:
            (account_id, name), item = next(iter(self._items.items()))
            if item.stored_at > limit:
                return
            self.delete(account_id, name)


def _make_token(name: str) -> str:
    return base64.b64encode(name.encode()).decode()


def _read_token(token: str | None) -> str:
    if not token:
        return ""
    try:
        return base64.b64decode(token, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ValueError("not a continuation token") from error
