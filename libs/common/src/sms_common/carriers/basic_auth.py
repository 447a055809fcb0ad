"""HTTP Basic credentials (RFC 7617) at a webhook, compared as bytes and in constant time."""

import base64
import hmac
from collections.abc import Mapping
from types import MappingProxyType

from sms_common.configuration import CallbackCredentials
from sms_common.errors import Code, WebhookUnauthorized

CHALLENGE: Mapping[str, str] = MappingProxyType({"WWW-Authenticate": 'Basic realm="sms-gateway", charset="UTF-8"'})


def check_basic(authorization: str | None, expected: CallbackCredentials | None) -> None:
    """Compare an Authorization header with the credentials a configuration asks for; None asks for none.

    Both fields are always compared, whatever is wrong with the header. Raises WebhookUnauthorized.
    """
    if expected is None:
        return
    scheme, _, encoded = (authorization or "").strip().partition(" ")
    username, colon, password = _decoded(encoded).partition(b":")
    same_username = hmac.compare_digest(username, _bytes(expected.username))
    same_password = hmac.compare_digest(password, _bytes(expected.password.get_secret_value()))
    if not (same_username & same_password & bool(colon) & (scheme.lower() == "basic")):
        detail = "are not the configured ones" if authorization else "are missing"
        raise WebhookUnauthorized(Code.WEBHOOK_UNAUTHORIZED, f"The webhook's credentials {detail}.")


def _decoded(encoded: str) -> bytes:
    """Return the bytes behind base64, or none at all for what is not base64."""
    try:
        return base64.b64decode(encoded.strip().encode("ascii"), validate=True)
    except ValueError:
        return b""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
