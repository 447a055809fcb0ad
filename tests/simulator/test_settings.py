"""The settings of the simulator."""

from carrier_simulator import SimulatorSettings


def test_settings_do_not_show_the_control_token(monkeypatch):
    monkeypatch.setenv("SIMULATOR_CONTROL_TOKEN", "canary")
    monkeypatch.setenv("SIMULATOR_ACCOUNTS", '[{"account_id": "1"}]')
    monkeypatch.setenv("SIMULATOR_WEBHOOK_RETRY_DELAYS", "[1, 2]")

    settings = SimulatorSettings()

    assert "canary" not in repr(settings)
    assert settings.accounts[0].account_id == "1"
    assert settings.webhook_retry_delays == (1, 2)
