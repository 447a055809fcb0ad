"""The dispatcher's environment: what it must hold, what it may, and that no secret shows."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from sms_dispatcher.settings import DispatcherSettings

NEEDED = {
    "DISPATCHER_AMQP_URL": "amqp://user:SECRET@127.0.0.1:1/x",
    "DISPATCHER_MONGO_URL": "mongodb://user:SECRET@127.0.0.1:1/",
    "DISPATCHER_CONFIG_TOKEN": "SECRET",
    "DISPATCHER_READ_TOKEN": "SECRET",
}


@pytest.fixture
def read(monkeypatch):
    def read(**changes: str | None) -> DispatcherSettings:
        for name, value in (NEEDED | changes).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        return DispatcherSettings()

    return read


def test_four_variables_are_enough_and_the_port_is_on_loopback(read):
    settings = read()

    assert (settings.host, settings.port, settings.mongo_database) == ("127.0.0.1", 8082, "sms_dispatcher")
    assert (settings.retention, settings.patience.receipt_window) == (timedelta(days=90), timedelta(hours=100))


def test_no_secret_shows(read):
    assert "SECRET" not in f"{read()!r}{read().model_dump_json()}"


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("value", [None, ""], ids=["absent", "empty"])
def test_what_is_needed_is_asked_for_by_name(read, name, value):
    with pytest.raises(ValidationError) as caught:
        read(**{name: value})

    assert [error["loc"] for error in caught.value.errors()] == [(name.removeprefix("DISPATCHER_").lower(),)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("OUTBOUND_PREFETCH", "0"),
        ("CARRIER_PREFETCH", "2001"),
        ("LANE_PREFETCH", "501"),
        ("RETENTION_DAYS", "6"),
        ("RECEIPT_WINDOW_HOURS", "0"),
        ("RECEIPT_WINDOW_HOURS", "1e9"),
        ("RECEIPT_WINDOW_HOURS", "nan"),
        ("DUE_EVERY", "0"),
        ("DUE_EVERY", "inf"),
    ],
)
def test_an_impossible_value_is_refused(read, name, value):
    with pytest.raises(ValidationError):
        read(**{f"DISPATCHER_{name}": value})


@pytest.mark.parametrize(("days", "hours", "fits"), [("7", "120", True), ("7", "121", False), ("32", "720", True)])
def test_messages_are_kept_until_they_have_ended(read, days, hours, fits):
    values = {"DISPATCHER_RETENTION_DAYS": days, "DISPATCHER_RECEIPT_WINDOW_HOURS": hours}
    if fits:
        assert read(**values).retention > read(**values).patience.receipt_window
        return
    with pytest.raises(ValidationError, match="RETENTION_DAYS must be at least 8"):
        read(**values)


def test_a_carriers_options_are_json(read):
    options = read(DISPATCHER_CARRIER_OPTIONS='{"bandwidth": {"total_timeout": 20}}').carrier_options

    assert options == {"bandwidth": {"total_timeout": 20}}


def test_the_former_name_of_the_read_token_is_read_where_the_new_one_is_not_set(read):
    former = read(DISPATCHER_READ_TOKEN=None, DISPATCHER_API_TOKEN="former-token")
    assert former.read_token.get_secret_value() == "former-token"
    assert former.renamed == {"DISPATCHER_API_TOKEN": "DISPATCHER_READ_TOKEN"}

    both = read(DISPATCHER_READ_TOKEN="new-token", DISPATCHER_API_TOKEN="former-token")

    assert both.read_token.get_secret_value() == "new-token"
    assert both.renamed == {}


def test_a_missing_read_token_is_named_by_its_new_name(read):
    with pytest.raises(ValidationError, match="read_token"):
        read(DISPATCHER_READ_TOKEN=None)
