"""What a number is: E.164 numbers, short codes, alphanumeric senders, their masked form, and pools of DIDs. No I/O."""

from sms_common.phone.numbers import (
    InvalidNumber,
    digits,
    from_carrier,
    is_alphanumeric_sender,
    is_country,
    is_short_code,
    mask,
    normalise,
    normalise_sender,
)
from sms_common.phone.pools import NumberPool, NumberRange

__all__ = [
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
