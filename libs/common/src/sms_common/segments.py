"""How many SMS segments a text takes (3GPP TS 23.038 alphabet, TS 23.040 concatenation); knows nothing of carriers.

A forecast for pacing and for the PBX. The count in the carrier's answer is what a message really cost.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# 140 octets hold 160 septets or 70 UTF-16 code units. A text in several parts gives 6 octets of each to the
# concatenation header, which leaves 153 septets or 67 code units.
GSM_SINGLE: Final = 160
GSM_PART: Final = 153
UCS2_SINGLE: Final = 70
UCS2_PART: Final = 67

# TS 23.038, 6.2.1, in code order. Code 0x1B is the escape to the extension table and no character.
_ESCAPE: Final = "\x1b"
_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# TS 23.038, 6.2.1.1: each is sent as the escape and a second septet.
_EXTENSION: Final = "\f^{}\\[~]|€"

_NOT_GSM: Final = re.compile(f"[^{re.escape(_BASIC + _EXTENSION)}]")
_TWO_SEPTETS: Final = re.compile(f"[{re.escape(_EXTENSION)}]")
_LOW_SURROGATES: Final = range(0xDC, 0xE0)  # the upper octet of a pair's second code unit


class Encoding(StrEnum):
    """The alphabet a whole text is sent in; one character outside GSM-7 moves all of it to UCS-2."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


@dataclass(frozen=True, slots=True)
class SegmentCount:
    """What a text takes: `units` are septets for GSM-7 and UTF-16 code units for UCS-2."""

    encoding: Encoding
    units: int
    segments: int


def count_segments(text: str, *, mms: bool = False) -> SegmentCount:
    """Count the segments of `text`. An MMS is always one, and so is an empty text.

    A character of two septets or two code units is never split over two parts, so a long text can need one
    part more than its units divided by the part size.
    """
    if _NOT_GSM.search(text) is None:
        return _count_gsm(text, mms=mms)
    return _count_ucs2(text, mms=mms)


def _count_gsm(text: str, *, mms: bool) -> SegmentCount:
    septets = text
    if _TWO_SEPTETS.search(text) is not None:
        for character in _EXTENSION:
            septets = septets.replace(character, _ESCAPE + character)
    units = len(septets)
    if mms or units <= GSM_SINGLE:
        return SegmentCount(Encoding.GSM_7, units, 1)
    if units == len(text):
        return SegmentCount(Encoding.GSM_7, units, -(-units // GSM_PART))
    parts, start = 1, GSM_PART
    while start < units:
        if septets[start - 1] == _ESCAPE:
            start -= 1
        parts, start = parts + 1, start + GSM_PART
    return SegmentCount(Encoding.GSM_7, units, parts)


def _count_ucs2(text: str, *, mms: bool) -> SegmentCount:
    # surrogatepass: a lone surrogate can come out of a JSON escape and must be counted, not raise
    octets = text.encode("utf-16-be", "surrogatepass")
    units = len(octets) // 2
    if mms or units <= UCS2_SINGLE:
        return SegmentCount(Encoding.UCS_2, units, 1)
    if units == len(text):
        return SegmentCount(Encoding.UCS_2, units, -(-units // UCS2_PART))
    parts, start = 1, UCS2_PART
    while start < units:
        if octets[2 * start] in _LOW_SURROGATES:
            start -= 1
        parts, start = parts + 1, start + UCS2_PART
    return SegmentCount(Encoding.UCS_2, units, parts)
