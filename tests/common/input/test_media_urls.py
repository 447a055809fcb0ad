"""The addresses of media files: read as they were meant, or refused at once."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.errors import UnreadableEvent
from sms_common.input.media_urls import InvalidMediaUrl, media_url
from tests.common.input.requests import asked, case, outcome, refused, written


@pytest.mark.parametrize(
    ("media", "urls"),
    [
        (["https://media.example.com/IMG 0140.JPG"], ["https://media.example.com/IMG%200140.JPG"]),
        (["https://media.example.com/a.jpg\n"], ["https://media.example.com/a.jpg"]),
        (["HTTPS://media.example.com/a.jpg"], ["https://media.example.com/a.jpg"]),
        ([" \u200bhttps://media.example.com/a.jpg"], ["https://media.example.com/a.jpg"]),
        ("https://media.example.com/a.jpg", ["https://media.example.com/a.jpg"]),
        ({"url": "https://media.example.com/a.jpg"}, ["https://media.example.com/a.jpg"]),
        (["http://media.example.com:8080/a.jpg"], ["http://media.example.com:8080/a.jpg"]),
        (["https://bücher.example/grün.jpg"], ["https://xn--bcher-kva.example/gr%C3%BCn.jpg"]),
        (["https://h.example/a%20b?x=%2B&y=[1]#z"], ["https://h.example/a%20b?x=%2B&y=%5B1%5D#z"]),
        (["https://h.example/100%.png"], ["https://h.example/100%25.png"]),
        (["https://[2001:db8::1]/a.png"], ["https://[2001:db8::1]/a.png"]),
        (
            "https://h.example/1\nHTTPS://h.example/2, http://i/3",
            ["https://h.example/1", "https://h.example/2", "http://i/3"],
        ),
    ],
)
def test_a_media_address_is_read_as_meant(media: object, urls: list[str]):
    assert [file.url for file in asked(written(media=media)).media] == urls


@pytest.mark.parametrize(
    ("media", "code", "sentence"),
    [
        (["https:///a.jpg"], "invalid_media", "media.0.url names no host."),
        (["https://"], "invalid_media", "media.0.url names no host."),
        (["https://?a.jpg"], "invalid_media", "media.0.url names no host."),
        (["https://a..b/c.jpg"], "invalid_media", "media.0.url names a host that cannot exist."),
        (["https://a b/c.jpg"], "invalid_media", "media.0.url names a host that cannot exist."),
        (["https://h.example:99999/"], "invalid_media", "media.0.url names a port or host that cannot exist."),
        (["https://h.example/a\nb.jpg"], "invalid_media", None),
        (["ftp://x"], "invalid_media", "media.0.url must begin with https:// or http://."),
        (["media.example.com/a.jpg"], "invalid_media", "media.0.url must begin with https:// or http://."),
        (["https://a.example/1.png", ""], "invalid_media", "media.1.url is empty."),
        ([None], "invalid_request", "media.0.url is missing."),
        ([{"id": "x"}], "invalid_request", "media.0.url is missing."),
        ([7], "invalid_request", "media.0 must be the address of a file, or an object with a url."),
        (7, "invalid_request", "media must be a list of files."),
    ],
)
def test_a_media_address_that_no_carrier_can_fetch_is_refused_with_its_place(
    media: object, code: str, sentence: str | None
):
    error = refused(written(media=media))

    assert error.code == code
    assert sentence in {None, error.reason}
    assert (error.field or "").startswith("media")


A_JPG = "https://media.example.com/a.jpg"


@pytest.mark.parametrize(
    ("body", "url"),
    list(
        zip(
            case("23")["input"],
            ["https://media.example.com/IMG%200140.JPG", A_JPG, None, A_JPG, A_JPG, A_JPG, A_JPG, None, None],
            strict=True,
        )
    ),
    ids=lambda part: json.dumps(part.get("media")) if isinstance(part, dict) else "",
)
def test_a_media_address_of_the_cases_is_read_or_refused_at_once(body: dict[str, Any], url: str | None):
    event = outcome(json.dumps(body).encode())

    if isinstance(event, UnreadableEvent):
        assert (event.field, url) == ("media.0.url", None)
    else:
        assert [file.url for file in event.media] == [url]


@pytest.mark.parametrize("between", [",", ";", "|", " , ", "\n", "\r\n", " "], ids=repr)
def test_several_media_addresses_in_one_text_are_a_list(between: str):
    urls = [A_JPG, "https://media.example.com/b,c.jpg"]

    assert [file.url for file in asked(written(media=f" {between.join(urls)}\u200b")).media] == urls
    assert [file.url for file in asked(written(media=[f"\n{urls[0]} "])).media] == urls[:1]


@given(st.text(max_size=40))
def test_a_media_address_is_stable_once_it_is_read(end: str):
    try:
        url = media_url(f"https://a.example/{end}")
    except InvalidMediaUrl:
        return
    assert media_url(url) == url
    assert url.isascii()
    assert url.isprintable()
