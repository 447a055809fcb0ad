import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.segments import Encoding, SegmentCount, count_segments

CASES = json.loads((Path(__file__).parents[1] / "data" / "segmentation-cases.json").read_text("utf-8"))["cases"]
GSM_TWO_SEPTETS = "\f^{}\\[~]|€"
GSM_ONE_SEPTET = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./09:;<=>?¡AZÄÖÑÜ§¿azäöñüà"


def case_text(case):
    if "char" in case:
        return case["char"] * case["count"]
    return case["prefixChar"] * case["prefixCount"] + case["lastChar"]


def parts_one_character_at_a_time(widths, single, part):
    """The definition, slowly: fill a part, and open the next when the whole character does not fit."""
    if sum(widths) <= single:
        return 1
    parts, used = 1, 0
    for width in widths:
        if used + width > part:
            parts, used = parts + 1, 0
        used += width
    return parts


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_documented_case_holds(case):
    assert count_segments(case_text(case)) == SegmentCount(
        Encoding(case["encoding"]), case["units"], case["expectedSegmentCount"]
    )


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        pytest.param("", "GSM-7", 0, 1, id="an empty text is one segment"),
        pytest.param("€", "GSM-7", 2, 1, id="the euro sign takes two septets"),
        pytest.param("a" * 152 + "€" + "a" * 7, "GSM-7", 161, 2, id="a pair moved whole still leaves two parts"),
        pytest.param("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3, id="a pair at the seam costs a septet, and a part"),
        pytest.param("😀" * 67, "UCS-2", 134, 3, id="67 emoji are 33 in a part"),
        pytest.param("😀" * 66, "UCS-2", 132, 2, id="66 emoji fill two parts of 66 units"),
        pytest.param("a" * 66 + "😀" + "b" * 66, "UCS-2", 134, 3, id="a surrogate pair at the seam costs a part"),
        pytest.param("ç", "UCS-2", 1, 1, id="small c cedilla is not in the alphabet, the capital is"),
        pytest.param("a\x1b", "UCS-2", 2, 1, id="the escape is no character of the alphabet"),
        pytest.param("\t", "UCS-2", 1, 1, id="tab is not in the alphabet"),
        pytest.param("\ud83d", "UCS-2", 1, 1, id="a lone surrogate is counted, not refused"),
        pytest.param("\ud83d" + "😀" * 40, "UCS-2", 81, 2, id="a lone surrogate among pairs"),
        pytest.param("👩‍👩‍👧" * 9, "UCS-2", 72, 2, id="joined emoji count by code unit"),
    ],
)
def test_count(text, encoding, units, segments):
    assert count_segments(text) == SegmentCount(Encoding(encoding), units, segments)


@pytest.mark.parametrize("text", ["", "a" * 2048, "€" * 200, "Ж" * 500, "😀" * 300], ids=lambda text: text[:1])
def test_mms_is_always_one_segment_and_keeps_its_units(text):
    assert count_segments(text, mms=True).segments == 1
    assert count_segments(text, mms=True).units == count_segments(text).units


@pytest.mark.parametrize("character", GSM_ONE_SEPTET)
def test_character_of_the_basic_table_takes_one_septet(character):
    assert count_segments(character) == SegmentCount(Encoding.GSM_7, 1, 1)


@pytest.mark.parametrize("character", GSM_TWO_SEPTETS)
def test_character_of_the_extension_table_takes_two_septets(character):
    assert count_segments(character) == SegmentCount(Encoding.GSM_7, 2, 1)


def test_the_alphabet_has_127_single_and_10_double_characters():
    counts = [count_segments(chr(code)) for code in range(0x10000)]
    gsm = [count.units for count in counts if count.encoding is Encoding.GSM_7]
    assert (gsm.count(1), gsm.count(2)) == (127, 10)


@given(st.text(st.sampled_from(GSM_ONE_SEPTET + GSM_TWO_SEPTETS), max_size=700))
def test_gsm_parts_are_filled_character_by_character(text):
    widths = [2 if character in GSM_TWO_SEPTETS else 1 for character in text]
    assert count_segments(text) == SegmentCount(
        Encoding.GSM_7, sum(widths), parts_one_character_at_a_time(widths, 160, 153)
    )


@given(st.text(st.sampled_from("aЖ😀€"), max_size=400))
def test_ucs2_parts_are_filled_character_by_character(text):
    text += "Ж"
    widths = [2 if character == "😀" else 1 for character in text]
    assert count_segments(text) == SegmentCount(
        Encoding.UCS_2, sum(widths), parts_one_character_at_a_time(widths, 70, 67)
    )


@given(st.text(max_size=2048))
def test_parts_hold_every_unit_and_waste_at_most_one_each(text):
    count = count_segments(text)
    part, single = (153, 160) if count.encoding is Encoding.GSM_7 else (67, 70)
    assert count.segments == 1 if count.units <= single else count.segments >= 2
    assert count.units <= max(single, count.segments * part)
    assert count.units > (count.segments - 1) * (part - 1) or count.segments == 1
