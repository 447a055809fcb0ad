"""HTTP Basic credentials (RFC 7617) at a webhook, compared as bytes and in constant time."""

import base64
import hmac
from collections.abc import Mapping
from types import MappingProxyType

from sms_common.configuration import CallbackCredentials
from sms_common.errors import Code, WebhookUnauthorized

CHALLENGE: Mapping[str, str] = MappingProxyType({"WWW-Authenticate": 'Basic realm="sms-gateway", charset="UTF-8"'})


def check_basic(authorization: str | None, expected: CallbackCredentials | None) -> None:
    """Compare an Authorization header with the credentials that a configuration asks for, if it asks for any.

    They may be in UTF-8 or ISO 8859-1, and the header does not say which (RFC 7617, section 2.1). All fields are always
    compared, even if one is wrong. Raises WebhookUnauthorized.
    """
    if expected is None:
        return
    scheme, encoded = [*(authorization or "").split(None, 1), "", ""][:2]
    username, colon, password = _decoded(encoded).partition(b":")
    same_username = _same(username, expected.username)
    same_password = _same(password, expected.password.get_secret_value())
    if not (same_username & same_password & bool(colon) & (scheme.lower() == "basic")):
        detail = "are not the configured ones" if authorization else "are missing"
        raise WebhookUnauthorized(Code.WEBHOOK_UNAUTHORIZED, f"The webhook's credentials {detail}.")


def _decoded(encoded: str) -> bytes:
    """Decode base64, with or without padding; empty for what is not base64."""
    bare = encoded.strip().rstrip("=")
    try:
        return base64.b64decode((bare + "=" * (-len(bare) % 4)).encode("ascii"), validate=True)
    except ValueError:
        return b""


def _same(given: bytes, expected: str) -> bool:
    in_utf8 = expected.encode("utf-8", "surrogatepass")
    return hmac.compare_digest(given, in_utf8) | hmac.compare_digest(given, _in_latin(expected) or in_utf8)


def _in_latin(text: str) -> bytes | None:
    try:
        return text.encode("iso-8859-1")
    except UnicodeEncodeError:
        return None
