import pytest
from pydantic import ValidationError

from sms_config.model.keyring import new_entry
from sms_config.settings import ConfigSettings
from tests.config.world import make_settings


def test_what_is_not_given_has_a_safe_default():
    settings = make_settings(bootstrap_api_key=None)

    assert (settings.host, settings.port, settings.mongo_database) == ("127.0.0.1", 8081, "sms_config")
    assert settings.webhook_grace.days == 1


def test_they_come_from_the_environment(monkeypatch):
    ring = new_entry("k7")
    environment = {
        "CONFIG_PORT": "9999",
        "CONFIG_AMQP_URL": "amqp://u:p@h",
        "CONFIG_MONGO_URL": "mongodb://u:p@h",
        "CONFIG_PUBLIC_URL": "https://sms.example.com/base/",
        "CONFIG_INGRESS_TOKEN": "i" * 32,
        "CONFIG_DISPATCHER_TOKEN": "d" * 32,
        "CONFIG_KEY_RING": ring,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    settings = ConfigSettings()

    assert (settings.port, settings.public_url, settings.keys.current) == (9999, "https://sms.example.com/base", "k7")


def test_no_secret_is_shown():
    shown = repr(
        make_settings(
            amqp_url="amqp://u:canary1@h", mongo_url="mongodb://u:canary2@h", bootstrap_api_key="canary3-xxxxxxxxxx"
        )
    )

    assert "canary" not in shown
    assert "k1:" not in shown


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"public_url": "sms.example.com"}, "must be the base of a URL"),
        ({"public_url": "ftp://sms.example.com"}, "must be the base of a URL"),
        ({"public_url": "https://u:p@sms.example.com"}, "must be the base of a URL"),
        ({"public_url": "https://sms.example.com?x=1"}, "must be the base of a URL"),
        ({"key_ring": "nonsense"}, "Entry 1 of the key ring"),
        ({"key_ring": ""}, "empty"),
        ({"ingress_token": "short"}, "at least 16"),
        ({"ingress_token": "same-token-for-both", "dispatcher_token": "same-token-for-both"}, "must differ"),
        ({"bootstrap_api_key": "token-of-ingress-in-these-tests"}, "must differ"),
        ({"mongo_database": "a.b"}, "pattern"),
        ({"port": 70000}, "less than or equal to 65535"),
        ({"webhook_grace_seconds": -1}, "greater than or equal to 0"),
    ],
)
def test_settings_that_cannot_be_are_refused_without_repeating_them(values, part):
    with pytest.raises(ValidationError) as raised:
        make_settings(**values)

    assert part in str(raised.value)
    assert "same-token" not in str(raised.value)
    assert "nonsense" not in str(raised.value)
