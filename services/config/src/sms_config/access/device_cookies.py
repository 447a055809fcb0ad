"""Browsers that somebody has logged in with before: who guesses elsewhere does not shut them out.

A browser gets a cookie that names it and whose name logged in; it opens nothing. It is sealed with the key ring, so
that it cannot be made up, and needs no store. (After "device cookies" of OWASP's notes on slowing guessing down.)
"""

import base64
import binascii
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from sms_config.model.keyring import KeyRing, Place, SealBroken, Sealed

LASTS: Final = timedelta(days=180)
_ID_BYTES: Final = 16
_MAX_TOKEN: Final = 1024


class DeviceCookies:
    """Gives browsers their cookie, and knows them by it."""

    def __init__(self, ring: KeyRing, clock: Callable[[], datetime]) -> None:
        self._ring = ring
        self._clock = clock

    def issue(self, name_key: str) -> SecretStr:
        """A new cookie for the browser that has just logged in under this name."""
        device = secrets.token_urlsafe(_ID_BYTES)
        until = (self._clock() + LASTS).timestamp()
        sealed = self._ring.seal(SecretStr(f"{until:.0f} {name_key}"), _place(device))
        return SecretStr(f"{sealed.key_id}.{device}.{base64.urlsafe_b64encode(sealed.data).decode()}")

    def known(self, token: SecretStr | None, name_key: str) -> str | None:
        """The browser's own id, if it logged in under this name before; whatever else is presented counts as none."""
        text = "" if token is None else token.get_secret_value()
        if len(text) > _MAX_TOKEN or text.count(".") != 2:  # noqa: PLR2004  # its three parts
            return None
        key_id, device, data = text.split(".")
        try:
            sealed = Sealed(key_id, base64.urlsafe_b64decode(data))
            until, _, name = self._ring.open(sealed, _place(device)).get_secret_value().partition(" ")
        except (SealBroken, binascii.Error, ValueError):
            return None
        return device if name == name_key and float(until) > self._clock().timestamp() else None


def _place(device: str) -> Place:
    return Place("devices", device, "", "cookie")
