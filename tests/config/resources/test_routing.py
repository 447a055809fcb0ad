"""A tenant's default routing: its clock, its hours and its holidays."""

import pytest

pytestmark = pytest.mark.loopback
ROUTING = "/api/v1/routing"
MONDAY = {"monday": [{"opens": "09:00", "closes": "17:00"}]}


async def test_a_tenants_clock_is_there_from_the_start_and_changed_in_parts(api, acme):
    before = (await api.get(f"{ROUTING}?tenant_id=acme")).json
    given = {"time_zone": "Europe/London", "hours": MONDAY, "blocked_senders": "(212) 555-0100; 900*******"}
    changed = await api.call("PATCH", f"{ROUTING}?tenant_id=acme", given)
    after = await api.call(
        "PATCH", f"{ROUTING}?tenant_id=acme", {"holidays": ["2026-12-25", "2026-01-01", "2026-01-01"]}
    )

    assert (before["time_zone"], before["hours"], before["holidays"], before["blocked_senders"]) == (
        "UTC",
        None,
        [],
        "",
    )
    assert changed.json["blocked_senders"] == "+12125550100;+1900*******"
    assert (after.json["time_zone"], after.json["hours"]["monday"]) == ("Europe/London", MONDAY["monday"])
    assert after.json["holidays"] == ["2026-01-01", "2026-12-25"]
    assert after.json["version"] == before["version"] + 2
    assert after.headers["ETag"] == f'"{after.json["version"]}"'


async def test_a_clock_read_can_be_written_back_and_a_tenant_names_itself(acme, key_for):
    theirs = await key_for("config", tenants=["acme"])
    read = (await theirs.get(ROUTING)).json

    again = await theirs.call("PUT", ROUTING, read)
    nobody = await (await key_for("config")).get(ROUTING)

    assert (again.status, again.json) == (200, read)
    assert (nobody.status, nobody.field_errors()["tenant_id"][:11]) == (422, "is required")


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone", "not the name of a time zone"),
        ({"holidays": ["2026-02-30"]}, "holidays.0", "not a day"),
        ({"holidays": ["25.12.2026"]}, "holidays.0", "2026-12-25"),
        ({"blocked_senders": "1*x"}, "blocked_senders", "digits and *"),
        ({"hours": {"monday": [{"opens": "10:00", "closes": "09:00"}]}}, "hours.monday.0", "after it opens"),
    ],
)
async def test_a_wrong_clock_is_refused_beside_its_field(api, acme, given, field, said):
    answer = await api.call("PATCH", f"{ROUTING}?tenant_id=acme", given)

    assert answer.status == 422
    assert said in answer.field_errors()[field]


async def test_a_day_may_end_at_24_and_hours_may_be_written_short(api, acme):
    hours = {"monday": [{"opens": "9:00", "closes": "24:00"}]}
    answer = await api.call("PATCH", f"{ROUTING}?tenant_id=acme", {"hours": hours})
    refused = await api.call(
        "PATCH", f"{ROUTING}?tenant_id=acme", {"hours": {"monday": [{"opens": "24:00", "closes": "00:00"}]}}
    )

    assert answer.json["hours"]["monday"] == [{"opens": "09:00", "closes": "00:00"}]
    assert "such as 09:00" in refused.field_errors()["hours.monday.0.opens"]
