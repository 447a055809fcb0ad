import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from sms_config.model.keyring import KeyRing, KeyRingError, Place, SealBroken, Sealed, new_entry

PLACE = Place("sms_configs", "config-1", "acme", "credentials.api_secret")
KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_PLACES = [
    pytest.param(Place("trunks", "config-1", "acme", "credentials.api_secret"), id="collection"),
    pytest.param(Place("sms_configs", "config-2", "acme", "credentials.api_secret"), id="record"),
    pytest.param(Place("sms_configs", "config-1", "globex", "credentials.api_secret"), id="tenant"),
    pytest.param(Place("sms_configs", "config-1", "acme", "callback.password"), id="field"),
]


def ring_of(*ids: str) -> KeyRing:
    return KeyRing({key_id: os.urandom(32) for key_id in ids})


@given(st.text(st.characters(codec="utf-8")))
def test_what_was_sealed_opens_to_the_same_text(text):
    ring = ring_of("k1")

    opened = ring.open(ring.seal(SecretStr(text), PLACE), PLACE)

    assert opened.get_secret_value() == text


def test_sealing_twice_gives_different_bytes_and_never_the_text():
    ring = ring_of("k1")
    first, second = (ring.seal(SecretStr("the-secret-itself"), PLACE) for _ in range(2))

    assert first.data != second.data
    assert b"the-secret-itself" not in first.data


@pytest.mark.parametrize("elsewhere", OTHER_PLACES)
def test_a_value_moved_to_another_place_does_not_open(elsewhere):
    ring = ring_of("k1")
    sealed = ring.seal(SecretStr("x"), PLACE)

    with pytest.raises(SealBroken):
        ring.open(sealed, elsewhere)


@pytest.mark.parametrize("position", [0, 11, 12, -1])
def test_a_value_changed_in_one_bit_does_not_open(position):
    ring = ring_of("k1")
    sealed = ring.seal(SecretStr("some secret"), PLACE)
    data = bytearray(sealed.data)
    data[position] ^= 1

    with pytest.raises(SealBroken):
        ring.open(Sealed(sealed.key_id, bytes(data)), PLACE)


@pytest.mark.parametrize("data", [b"", b"short", b"n" * 12])
def test_what_was_never_sealed_does_not_open(data):
    with pytest.raises(SealBroken):
        ring_of("k1").open(Sealed("k1", data), PLACE)


def test_the_first_key_seals_and_every_key_opens():
    old = KeyRing.parse(f"old:{KEY}")
    sealed = old.seal(SecretStr("x"), PLACE)
    both = KeyRing.parse(f"{new_entry('new')}, old:{KEY}")

    assert both.seal(SecretStr("y"), PLACE).key_id == "new"
    assert both.open(sealed, PLACE).get_secret_value() == "x"


def test_without_its_key_a_value_does_not_open_and_the_error_names_the_key():
    sealed = ring_of("old").seal(SecretStr("x"), PLACE)

    with pytest.raises(SealBroken, match=r"The key old that sealed .* is not on the ring"):
        ring_of("new").open(sealed, PLACE)


def test_a_ring_names_the_keys_it_lacks():
    assert ring_of("a", "b").missing(["b", "d", "c", "d"]) == ["c", "d"]


def test_url_safe_base64_without_padding_is_read_as_well():
    key = bytes([0xFB, 0xFF] * 16)
    text = base64.urlsafe_b64encode(key).decode().rstrip("=")

    standard = KeyRing.parse("k:" + base64.b64encode(key).decode())

    assert KeyRing.parse(f"k:{text}").open(standard.seal(SecretStr("x"), PLACE), PLACE).get_secret_value() == "x"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", "empty", id="nothing"),
        pytest.param(" , ", "empty", id="only commas"),
        pytest.param("justakey", "Entry 1 of the key ring is not keyid", id="no colon"),
        pytest.param(f"k1:{KEY},k2:!!!", "key of entry 2 of the key ring is not base64", id="not base64"),
        pytest.param(f"k1:{KEY},k1:{KEY}", "entry 2 of the key ring occurs twice", id="twice"),
        pytest.param("k1:" + base64.b64encode(b"short").decode(), "has 5 bytes", id="too short"),
        pytest.param(f"k 1:{KEY}", "A key id is", id="id with a space"),
        pytest.param(f":{KEY}", "A key id is", id="no id"),
    ],
)
def test_a_ring_that_cannot_be_used_says_why_and_never_repeats_a_key(text, sentence):
    with pytest.raises(KeyRingError, match=sentence) as raised:
        KeyRing.parse(text)

    assert KEY not in str(raised.value)
