"""Device cookies: a browser that logged in before is not locked out when others guess passwords for the same name.

The cookie names the browser and the user name that logged in. It gives no access. It is encrypted with the key ring, so
it cannot be forged and needs no store. (See OWASP's "Slow Down Online Guessing Attacks with Device Cookies".)
"""

import base64
import binascii
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from sms_config.model.keyring import KeyRing, Place, SealBroken, Sealed

LIFETIME: Final = timedelta(days=180)
_ID_BYTES: Final = 16
_MAX_TOKEN: Final = 1024


class DeviceCookies:
    """Issues device cookies and checks them."""

    def __init__(self, ring: KeyRing, clock: Callable[[], datetime]) -> None:
        self._ring = ring
        self._clock = clock

    def issue(self, name_key: str) -> SecretStr:
        """Return a new cookie for a browser that has just logged in under this name."""
        device = secrets.token_urlsafe(_ID_BYTES)
        until = (self._clock() + LIFETIME).timestamp()
        sealed = self._ring.seal(SecretStr(f"{until:.0f} {name_key}"), _place(device))
        return SecretStr(f"{sealed.key_id}.{device}.{base64.urlsafe_b64encode(sealed.data).decode()}")

    def known(self, token: SecretStr | None, name_key: str) -> str | None:
        """Return the browser's id if it logged in under this name before; None for any other token."""
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
