"""Where the native tools take their settings from."""

from pathlib import Path

import pytest

from sms_native.settings import NativeSettings, inherited

NAMES = ("SMS_RUN_DIR", "SMS_CACHE_DIR", "SMS_INSTALL", "NATIVE", "AMQP_URL", "RABBITMQ_MANAGEMENT_URL", "MONGO_URL")


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_without_anything_all_is_private_to_this_directory_and_this_user(tmp_path: Path):
    assert NativeSettings.from_environment() == NativeSettings(
        run_directory=tmp_path / ".run",
        cache_directory=tmp_path / "caches" / "sms-gateway",
        may_install=True,
        native=False,
        amqp_url=None,
        management_url=None,
        mongo_url=None,
    )


def test_every_setting_can_be_given(monkeypatch: pytest.MonkeyPatch):
    given = ("/run", "/cache", "0", "1", "amqp://elsewhere", "http://elsewhere", "mongodb://elsewhere")
    for name, value in zip(NAMES, given, strict=True):
        monkeypatch.setenv(name, value)
    settings = NativeSettings.from_environment()
    assert (settings.run_directory, settings.cache_directory) == (Path("/run"), Path("/cache"))
    assert (settings.may_install, settings.native) == (False, True)
    assert (settings.amqp_url, settings.management_url, settings.mongo_url) == given[4:]


def test_a_child_does_not_get_the_variables_that_are_withheld(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AMQP_URL", "amqp://elsewhere")
    monkeypatch.setenv("MONGO_URL", "mongodb://elsewhere")
    environment = inherited("AMQP_")
    assert "AMQP_URL" not in environment
    assert environment["MONGO_URL"] == "mongodb://elsewhere"
