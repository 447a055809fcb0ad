"""Phone numbers: E.164 numbers, short codes, alphanumeric senders, their masked form, and pools of DIDs. No I/O."""

from sms_common.phone.notation import SEPARATORS, InvalidNumber, mask
from sms_common.phone.numbers import (
    digits,
    from_carrier,
    is_alphanumeric_sender,
    is_short_code,
    normalise,
    normalise_sender,
)
from sms_common.phone.plans import E164_DIGITS, is_country
from sms_common.phone.pools import NumberPool, NumberRange

__all__ = [
    "E164_DIGITS",
    "SEPARATORS",
    "InvalidNumber",
    "NumberPool",
    "NumberRange",
    "digits",
    "from_carrier",
    "is_alphanumeric_sender",
    "is_country",
    "is_short_code",
    "mask",
    "normalise",
    "normalise_sender",
]
