"""What the doctor finds at the public webhook address."""

from pathlib import Path

import pytest

from tests.cli.certificates import Authority
from tests.cli.doctor.conftest import Gateway

pytestmark = pytest.mark.loopback


async def test_something_else_at_the_webhooks_address_is_found(gateway: Gateway):
    gateway.get_status = 200
    (found,) = [finding for part, finding in (await gateway.examined()).items() if part.startswith("webhook")]
    assert found[:2] == ("fail", "a GET is answered 200 by a-proxy instead of 405")


@pytest.mark.parametrize(
    ("webhook", "levels", "said"),
    [
        pytest.param("http://127.0.0.1:1/webhooks/bandwidth/t", ["fail"], "cannot be reached", id="nobody there"),
        pytest.param("https://127.0.0.1:1/webhooks/bandwidth/t", ["fail"], "no TLS connection", id="no TLS there"),
        pytest.param("http://nowhere.invalid/webhooks/bandwidth/t", ["warn", "fail"], "plain HTTP", id="without TLS"),
    ],
)
async def test_a_webhook_address_that_no_carrier_reaches(gateway: Gateway, webhook: str, levels: list[str], said: str):
    gateway.webhook = webhook
    ended = await gateway.call("--json")
    found = [one for one in ended.json["findings"] if one["part"].startswith("webhook")]
    assert [one["level"] for one in found] == levels
    assert said in found[0]["said"]


@pytest.fixture
def authority() -> Authority:
    return Authority()


async def test_a_certificate_is_shown_with_its_end(gateway: Gateway, authority: Authority, directory: Path):
    gateway.certificate = authority.serve(days=90)
    gateway.env["SMSGW_CA_FILE"] = authority.write(directory / "ca.pem")
    found = await gateway.examined()
    (certificate,) = [one for part, one in found.items() if part.endswith("certificate")]
    assert certificate[0] == "warn"  # a carrier does not know this authority
    assert "89 days; checked against ca.pem" in certificate[1]
    assert [
        one[:2] for part, one in found.items() if part.startswith("webhook") and not part.endswith("certificate")
    ] == [("ok", "ingress answers")]


async def test_a_certificate_that_ends_soon_is_to_be_renewed(gateway: Gateway, authority: Authority, directory: Path):
    gateway.certificate = authority.serve(days=3)
    gateway.env["SMSGW_CA_FILE"] = authority.write(directory / "ca.pem")
    (certificate,) = [one for part, one in (await gateway.examined()).items() if part.endswith("certificate")]
    assert (certificate[0], certificate[2]) == ("warn", "Renew it now.")


@pytest.mark.parametrize(
    ("days", "known", "chain", "said"),
    [
        pytest.param(90, False, True, "self-signed certificate", id="an unknown authority"),
        pytest.param(90, True, False, "unable to get local issuer", id="an incomplete chain"),
        pytest.param(-1, True, True, "expired", id="expired"),
    ],
)
async def test_a_certificate_that_carriers_refuse_is_a_failure(
    gateway: Gateway, authority: Authority, directory: Path, days: int, known: bool, chain: bool, said: str
):
    gateway.certificate = authority.serve(days=days, chain=chain)
    if known:
        gateway.env["SMSGW_CA_FILE"] = authority.write(directory / "ca.pem")
    found = {part: one for part, one in (await gateway.examined()).items() if part.startswith("webhook")}
    ((part, (level, reason, do)),) = found.items()
    assert (part.endswith("certificate"), level) == (True, "fail")
    assert said in reason
    assert "full chain" in do
