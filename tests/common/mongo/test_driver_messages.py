"""Why MongoDB cannot be used, told to an operator without a word of what the driver said."""

import pytest

from sms_common.mongo.driver_messages import told_of_options, why_unusable


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (18, "canary", "log-in refused (authSource?): check user, password and authSource in the address"),
        (8000, "canary", "log-in refused (authSource?): check user, password and authSource in the address"),
        (13, "canary", "the user of the address has no rights on the database"),
        (None, "canary: Connection refused", "nothing listens there"),
        (None, "canary: [Errno -2] Name or service not known", "its host name is not known"),
        (None, "canary: [Errno 8] nodename nor servname provided", "its host name is not known"),
        (None, "canary: timed out", "it does not answer"),
        (
            None,
            "No replica set members match selector, canary",
            "what answers there has another replica set name than replicaSet in the address says, or is no replica set",
        ),
        (
            None,
            "[SSL: CERTIFICATE_VERIFY_FAILED] canary",
            "its certificate is not trusted: check tlsCAFile and the name",
        ),
        (None, "SSL handshake failed: canary", "it does not speak TLS as the address says: check tls in the address"),
        (None, "The DNS query name does not exist: canary", "the DNS does not know the name after mongodb+srv://"),
    ],
)
def test_what_the_driver_says_is_told_in_words(code, said, told):
    assert why_unusable("SomeError", code, said) == f"{told} (SomeError)"


def test_of_an_unknown_error_its_class_is_told_and_nothing_else():
    assert why_unusable("SomeError", 50, "canary") == "SomeError"


def test_of_several_meanings_the_first_is_told():
    assert why_unusable("E", None, "Authentication failed, then timed out").startswith("log-in refused")


def test_of_an_addresss_options_only_what_matters_is_told():
    heard: list[Warning | str] = [
        UserWarning("Invalid value for tls"),
        UserWarning("Unknown option: newer"),
        UserWarning("Wire protocol compression with snappy is not available"),
        DeprecationWarning("ssl is old"),
        "a text",
    ]

    assert told_of_options(heard) == ["Invalid value for tls"]
