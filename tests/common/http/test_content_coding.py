"""Which Content-Encoding headers mean that a body is encoded: clients write a charset or nothing there, too."""

import pytest

from sms_common.http.content_coding import is_coded


@pytest.mark.parametrize(
    "headers",
    [
        ["gzip"],
        ["GZIP"],
        [" br "],
        ["zstd"],
        ["x-gzip"],
        ["x-of-their-own"],
        ["identity, deflate"],
        ["utf-8", "gzip"],
        ["aes128gcm"],
    ],
)
def test_a_registered_coding_or_one_of_their_own_counts(headers):
    assert is_coded(headers)


@pytest.mark.parametrize(
    "headers", [[], [""], [" "], ["identity"], ["utf-8"], ["UTF-8, identity"], ["application/json"], ["none"], ["8bit"]]
)
def test_a_charset_nothing_and_identity_do_not_count(headers):
    assert not is_coded(headers)
