"""Encrypts and decrypts an SMS configuration's credentials, callback password and webhook token. Pure."""

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from sms_common.configuration import token_digest
from sms_config.model.keyring import KeyRing, Place
from sms_config.model.problems import Invalid
from sms_config.model.records import (
    CALLBACK_PASSWORD,
    CREDENTIALS,
    WEBHOOK_TOKEN,
    FormerToken,
    SmsConfigRecord,
    StoredSecret,
)
from sms_config.schemas.bodies import Callback

# 32 bytes: 256 bits from the operating system in 43 URL-safe characters.
TOKEN_BYTES = 32
# The last four characters are kept only of values this long; of a shorter one they would show nearly all.
_LAST4_FROM = 8
# If tokens are rotated faster than their grace periods end, the oldest ones end early, so the record stays small.
MAX_FORMER_TOKENS = 5


class Sealer:
    """Encrypts values of one record with the ring's first key. `now` becomes the time of the change."""

    def __init__(self, ring: KeyRing, now: datetime) -> None:
        self._ring = ring
        self._now = now

    def secret(self, value: SecretStr, place: Place, **more: Any) -> StoredSecret:
        """Encrypt `value` for its place in the record. `more` are further fields of the stored secret."""
        sealed = self._ring.seal(value, place)
        return StoredSecret(key_id=sealed.key_id, data=sealed.data, changed_at=self._now, **more)

    def credentials(
        self,
        record: SmsConfigRecord,
        given: Mapping[str, SecretStr | None] | None,
        identifying: Collection[str],
        *,
        audited: bool,
    ) -> SmsConfigRecord:
        """Return `record` with the `given` credentials: a value sets one, a null removes it. None removes all.

        `identifying` names the credentials that are not secret. `audited`: the audit log may show their values.
        """
        values = dict.fromkeys(credentials_set(record)) if given is None else given
        kept = dict(record.secrets)
        for name, value in values.items():
            field = CREDENTIALS + name
            if value is None:
                kept.pop(field, None)
            else:
                text = value.get_secret_value()
                identifies = name in identifying
                last4 = text[-4:] if identifies and len(text) >= _LAST4_FROM else None
                kept[field] = self.secret(value, record.place(field), last4=last4, shown=identifies and audited)
        return record.model_copy(update={"secrets": kept})

    def callback(self, record: SmsConfigRecord, given: Callback | None) -> SmsConfigRecord:
        """Return `record` with the `given` callback; None removes it. Raises Invalid if user or password is missing."""
        kept = dict(record.secrets)
        username = None if given is None else record.callback_username
        if given is not None and "username" in given.model_fields_set:
            username = given.username
        if given is None or ("password" in given.model_fields_set and given.password is None):
            kept.pop(CALLBACK_PASSWORD, None)
        elif given.password is not None:
            kept[CALLBACK_PASSWORD] = self.secret(given.password, record.place(CALLBACK_PASSWORD))
        if username is None and CALLBACK_PASSWORD in kept:
            raise Invalid.of("callback.username", "is required with a password; callback: null removes both")
        if username is not None and CALLBACK_PASSWORD not in kept:
            raise Invalid.of("callback.password", "is required with a username; callback: null removes both")
        return record.model_copy(update={"callback_username": username, "secrets": kept})

    def new_token(self, record: SmsConfigRecord, grace: timedelta) -> SmsConfigRecord:
        """Return `record` with a new webhook token. The former one is accepted for `grace` longer."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        former = [old for old in record.former_tokens if old.valid_until > self._now]
        if record.webhook_sha256 and grace > timedelta(0):
            former.append(FormerToken(sha256=record.webhook_sha256, valid_until=self._now + grace))
        elif record.webhook_sha256:
            # Rotated without grace because the URL leaked: older URLs may have leaked with it, so they end too.
            former = []
        kept = {**record.secrets, WEBHOOK_TOKEN: self.secret(SecretStr(token), record.place(WEBHOOK_TOKEN))}
        update = {
            "webhook_sha256": token_digest(token),
            "former_tokens": tuple(former[-MAX_FORMER_TOKENS:]),
            "secrets": kept,
        }
        return record.model_copy(update=update)


def credentials_set(record: SmsConfigRecord) -> Mapping[str, StoredSecret]:
    """Return the credentials that are set, still encrypted, by their names."""
    return {
        field.removeprefix(CREDENTIALS): secret
        for field, secret in record.secrets.items()
        if field.startswith(CREDENTIALS)
    }


def open_secret(ring: KeyRing, record: SmsConfigRecord, field: str) -> SecretStr | None:
    """Decrypt one field; None when it is not set. Raises SealBroken."""
    secret = record.secrets.get(field)
    return None if secret is None else ring.open(secret.sealed, record.place(field))


def reseal(ring: KeyRing, record: SmsConfigRecord) -> SmsConfigRecord:
    """Return `record` with every value encrypted with the ring's first key. Raises SealBroken."""
    fresh = dict(record.secrets)
    for field, secret in record.secrets.items():
        if secret.key_id != ring.current:
            sealed = ring.seal(ring.open(secret.sealed, record.place(field)), record.place(field))
            fresh[field] = secret.model_copy(update={"key_id": sealed.key_id, "data": sealed.data})
    return record.model_copy(update={"secrets": fresh})
