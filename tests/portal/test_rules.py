"""Rules, hours, extensions, lent trunks and limits in the portal, against a real config service."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from sms_common.configuration import SmsConfigFields
from tests.portal.conftest import looking
from tests.portal.person import heading, log_in, open_page, pick, said
from tests.portal.sample import fill
from tests.portal.served import Served

pytestmark = pytest.mark.e2e

Fields = dict[str, str]


@pytest.fixture(scope="module")
def filled(serving: Any) -> Iterator[tuple[Served, dict[str, str]]]:
    with serving() as served:
        served.says("store.prepared")
        yield served, fill(served)


@pytest.fixture(scope="module")
def cookies(filled: tuple[Served, dict[str, str]], browser: Browser) -> Any:
    """The session of a system administrator."""
    with looking(browser) as page:
        log_in(page, filled[0].url, "admin")
        return page.context.storage_state()


@pytest.fixture
def page(browser: Browser, cookies: Any) -> Iterator[Page]:
    """A laptop's window in which a system administrator is logged in."""
    options = {"viewport": {"width": 1366, "height": 768}, "reduced_motion": "reduce", "storage_state": cookies}
    with looking(browser, **options) as found:
        yield found


def box(page: Page, label: str) -> Locator:
    """A field by its label, which a star for "required" does not change."""
    return page.get_by_role("textbox", name=label, exact=True).or_(page.get_by_role("combobox", name=label, exact=True))


# --- what is wrong is told beside its field, in the words of the API


class Wrong(NamedTuple):
    """A form, what is entered, the button, and the field that says what is wrong with it."""

    address: str
    entered: Fields
    field: str
    says: str
    button: str = "Save changes"


RULE = {"Name": "A rule", "In office hours: destination": "101"}
WRONG = {
    "empty name": Wrong(
        "#/t/acme/inbound/new", {**RULE, "Name": " "}, "Name", "Must have 1 to 64 characters", "Add rule"
    ),
    "name over 64": Wrong("#/inbound/{inbound}", {"Name": "n" * 65}, "Name", "Must have 1 to 64 characters"),
    "malformed mask": Wrong(
        "#/inbound/{inbound}", {"Caller mask": "1312*x"}, "Caller mask", "holds more than digits and *"
    ),
    "range with unequal ends": Wrong(
        "#/inbound/{inbound}", {"Caller mask": "100-1000"}, "Caller mask", "with the same number of digits"
    ),
    "unequal ranges": Wrong(
        "#/inbound/{inbound}",
        {"In office hours: destination": "100-108"},
        "In office hours: destination",
        "The DID range has 10 numbers and the destination range 9",
    ),
    "no destination": Wrong(
        "#/inbound/{inbound}", {"In office hours: destination": ""}, "In office hours: destination", "Is required"
    ),
    "DID of nobody": Wrong(
        "#/inbound/{inbound}",
        {"DID numbers": "202 555 0170 - 202 555 0179"},
        "DID numbers",
        "Holds numbers that are not the tenant's: +12025550170-+12025550179",
    ),
    "no condition": Wrong(
        "#/t/acme/outbound/new",
        {"Name": "A rule", "SMS configuration": "Front desk"},
        "Goes to numbers that begin with",
        "At least one condition is needed",
        "Add rule",
    ),
    "digits in words": Wrong(
        "#/outbound/{outbound}",
        {"Goes to numbers with so many digits": "many"},
        "Goes to numbers with so many digits",
        "Must be a whole number",
    ),
    "no configuration": Wrong(
        "#/t/acme/outbound/new",
        {"Name": "A rule", "Goes to numbers that begin with": "1"},
        "SMS configuration",
        "Is required",
        "Add rule",
    ),
    "malformed extension": Wrong(
        "#/t/acme/extensions/new", {"Extension": "1 0 1"}, "Extension", "Has a form or characters", "Add extension"
    ),
    "taken extension": Wrong("#/t/acme/extensions/new", {"Extension": "199"}, "Extension", "Is taken", "Add extension"),
    "wrong time zone": Wrong(
        "#/t/acme/routing", {"Time zone": "Mars/Olympus"}, "Time zone", "Is not the name of a time zone"
    ),
    "malformed blocked senders": Wrong(
        "#/t/acme/routing",
        {"Numbers and masks": "9-3"},
        "Numbers and masks",
        "Both ends of the range 9-3 must be whole numbers",
    ),
    "overlapping DID": Wrong(
        "#/t/acme/trunks/new",
        {"Name": "Second", "Numbers (DID pool)": "+1 833 555 0141"},
        "Numbers (DID pool)",
        "+18335550141 overlaps +18335550140-+18335550149 of the trunk Acme toll-free",
        "Add trunk",
    ),
    "secret missing": Wrong(
        "#/t/acme/sms/new",
        {"Name": "Texts", "Trunk": "Acme main", "Callback user": "bandwidth"},
        "Callback password",
        "Is required",
        "Save",
    ),
    "no trunk": Wrong("#/t/acme/sms/new", {"Name": "Texts"}, "Trunk", "Is required", "Save"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_beside_its_field_in_the_words_of_the_api(filled, page, wrong):
    served, ids = filled
    page.goto(f"{served.url}/{wrong.address.format(**ids)}")
    expect(page.get_by_role("form")).to_be_visible()
    for details in page.locator("details:not([open]) > summary").all():
        details.click()
    for label, value in wrong.entered.items():
        box(page, label).fill(value)
        if label in {"SMS configuration", "Trunk"}:
            page.get_by_role("option", name=value).click()

    with page.expect_response(lambda answer: answer.request.method in {"POST", "PATCH"}) as answer:
        page.get_by_role("button", name=wrong.button, exact=True).click()

    field = box(page, wrong.field)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    expect(field).to_have_accessible_description(re.compile(re.escape(wrong.says), re.IGNORECASE))
    assert answer.value.status in {409, 422}
    told = [error["message"] for error in answer.value.json()["errors"]]
    assert any(wrong.says.lower() in message.lower() for message in told)


def test_a_trunk_that_is_gone_meanwhile_is_told_beside_its_field(filled, page):
    served, ids = filled
    gone = served.api("POST", "trunks", {"name": "Gone", "brand": "Bandwidth", "tenant_id": "acme"})
    page.goto(f"{served.url}/#/sms/{ids['sms']}")
    pick(page, "Trunk", "gon", "Gone")
    served.api("DELETE", f"trunks/{gone['id']}")
    page.get_by_role("button", name="Save changes").click()
    expect(box(page, "Trunk")).to_have_accessible_description("Is not a known trunk")
    expect(box(page, "Trunk")).to_be_focused()


def test_a_wrong_route_is_told_at_its_own_field_wherever_it_was_moved(filled, page):
    served, ids = filled
    page.goto(f"{served.url}/#/outbound/{ids['outbound']}")
    second = page.get_by_role("group", name="Route 2")
    second.get_by_label("Caller ID").fill("+18335550141")
    page.get_by_role("button", name="Move route 2 up").press("Enter")
    expect(page.get_by_role("button", name="Move route 1 down")).to_be_focused()
    page.get_by_role("button", name="Save changes").click()
    wrong = page.get_by_role("group", name="Route 1").get_by_label("Caller ID")
    expect(wrong).to_have_accessible_description(re.compile("not one of the tenant's numbers on the trunk"))
    expect(wrong).to_have_value("+18335550141")

    wrong.fill("202 555 0144")
    page.get_by_role("button", name="Save changes").click()
    heading(page, "Outbound rules")
    routes = served.api("GET", f"outbound-rules/{ids['outbound']}")["routes"]
    assert [route["caller_id"] for route in routes] == ["+12025550144", None]


# --- what is entered is what is stored


def test_the_second_of_two_writers_of_a_rule_sees_what_changed(filled, page):
    served, ids = filled
    path = f"inbound-rules/{ids['inbound']}"
    page.goto(f"{served.url}/#/inbound/{ids['inbound']}")
    box(page, "Priority").or_(page.get_by_label("Priority")).fill("400")
    served.api("PATCH", path, {"outside": {"kind": "queue", "destination": "700"}, "priority": 300})
    page.get_by_role("button", name="Save changes").click()

    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("row", name="Priority")).to_contain_text("300")
    expect(dialog.get_by_role("row", name="Priority")).to_contain_text("400")
    expect(dialog.get_by_role("row", name="Outside office hours")).to_contain_text("kind queue, destination 700")
    expect(dialog.get_by_role("row", name="Outside office hours")).to_contain_text("not changed by you")
    dialog.get_by_role("button", name="Overwrite").click()

    heading(page, "Inbound rules")
    stored = served.api("GET", path)
    assert (stored["priority"], stored["outside"]["destination"]) == (400, "700")


ORDERED: dict[str, dict[str, Any]] = {
    "one caller": {"caller_mask": "13125550100", "priority": 2000},
    "ten callers": {"caller_mask": "13125550100-13125550109", "priority": 2000},
    "a hundred callers": {"caller_mask": "13125550100-13125550199", "priority": 1},
    "a pattern of callers": {"caller_mask": "1312555010*", "priority": 1},
    "one DID": {"did_numbers": "3055550140", "priority": 2000},
    "ten DIDs": {"did_numbers": "3055550140-3055550149", "priority": 1},
    "any, first": {"priority": 10},
    "any, older": {"priority": 20},
    "any, younger": {"priority": 20},
}


def test_inbound_rules_stand_in_the_order_in_which_they_decide(filled, page):
    served, _ = filled
    for name in sorted(ORDERED):
        served.api("POST", "inbound-rules", {"name": name, "tenant_id": "harbor", **ORDERED[name]})
    page.goto(f"{served.url}/#/t/harbor/inbound")
    expect(page.get_by_role("rowheader")).to_have_text(list(ORDERED))


def test_a_rule_is_switched_on_in_the_list(filled, page):
    served, _ = filled
    page.goto(f"{served.url}/#/t/acme/inbound")
    page.get_by_role("switch", name="The laboratory enabled").click()
    said(page, "The laboratory enabled")
    found = served.api("GET", "inbound-rules?name=The%20laboratory")["items"]
    assert [rule["enabled"] for rule in found] == [True]


@pytest.mark.parametrize("name", ["inbound", "outbound", "extensions"])
def test_of_all_tenants_a_list_says_whose_each_is(filled, page, name):
    served, _ = filled
    page.goto(f"{served.url}/#/{name}")
    expect(page.get_by_role("columnheader", name="Tenant")).to_be_visible()
    expect(page.get_by_role("cell", name="acme", exact=True).first).to_be_visible()


def test_hours_holidays_and_blocked_senders_are_stored_as_they_were_entered(filled, page):
    served, _ = filled
    page.goto(f"{served.url}/#/t/north/routing")
    pick(page, "Time zone", "los ang", "America/Los_Angeles")
    page.get_by_role("radio", name="Weekly hours").check()
    page.get_by_label("Monday, hours 1: opens").fill("07:30")
    page.get_by_role("button", name="Add hours on Monday").click()
    page.get_by_label("Monday, hours 2: opens").fill("18:00")
    page.get_by_label("Monday, hours 2: closes").fill("17:00")
    page.get_by_role("button", name="Remove hours 1 of Friday").click()
    page.get_by_label("Add a day").fill("2026-12-25")
    page.get_by_label("Add a day").press("Enter")
    page.get_by_label("Add a day").fill("2026-11-26")
    page.get_by_label("Numbers and masks").fill("(312) 555-0199\n(900) ***-****")
    page.get_by_role("group", name="What they may do").get_by_role("radio", name="May not send").check()
    page.get_by_role("button", name="Save changes").click()
    closes = page.get_by_label("Monday, hours 2: opens")
    expect(closes).to_have_accessible_description("Must close after it opens; split a span at midnight")

    page.get_by_label("Monday, hours 2: closes").fill("20:00")
    page.get_by_role("button", name="Save changes").click()
    said(page, "Saved")
    stored = served.api("GET", "routing?tenant_id=north")
    assert stored["time_zone"] == "America/Los_Angeles"
    assert stored["hours"]["monday"] == [{"opens": "07:30", "closes": "17:00"}, {"opens": "18:00", "closes": "20:00"}]
    assert (len(stored["hours"]["tuesday"]), stored["hours"]["friday"]) == (1, [])
    assert stored["holidays"] == ["2026-11-26", "2026-12-25"]
    assert (stored["blocked_senders"], stored["unlisted_extensions"]) == ("+13125550199;+1900*******", "DISABLE")


def test_an_extension_gets_caller_ids_of_its_trunk(filled, page):
    served, _ = filled
    page.goto(f"{served.url}/#/t/acme/extensions/new")
    box(page, "Extension").fill("102")
    page.get_by_role("radio", name="May send as its own caller ID").check()
    page.get_by_role("button", name="Add caller ID").click()
    expect(box(page, "Number")).to_be_focused()
    box(page, "Number").fill("833 555 0142")
    pick(page, "Trunk", "toll", "Acme toll-free")
    page.get_by_label("Groups").fill("reception; dentists")
    page.get_by_role("button", name="Add extension").click()
    expect(page.get_by_role("row", name="102")).to_contain_text("+18335550142")
    stored = served.api("GET", "extensions?extension=102")["items"][0]
    assert (stored["permission"], stored["groups"]) == ("ALLOW", ["dentists", "reception"])


def test_a_trunk_is_lent_and_its_tenant_cannot_change_it(filled, page, browser):
    served, _ = filled
    page.goto(f"{served.url}/#/trunks/new")
    box(page, "Name").fill("East Coast")
    page.get_by_role("radio", name="The system's, lent to tenants").check()
    page.get_by_role("button", name="Add tenant").click()
    pick(page, "Tenant", "acm", "Acme Dental")
    box(page, "Numbers").fill("202 555 0145")
    page.get_by_role("button", name="Add trunk").click()
    expect(box(page, "Numbers")).to_have_accessible_description(re.compile("overlaps .* of the trunk Acme main"))
    box(page, "Numbers").fill("617 555 0100 - 617 555 0109")
    page.get_by_role("button", name="Add trunk").click()
    expect(page.get_by_role("row", name="East Coast")).to_contain_text("acme: +16175550100-+16175550109")

    with looking(browser) as tenants:
        log_in(tenants, served.url, "ann@acme.example", "#/trunks")
        tenants.get_by_role("link", name="East Coast").click()
        heading(tenants, "East Coast")
        expect(tenants.get_by_text("This trunk belongs to the system")).to_be_visible()
        expect(tenants.get_by_text("+16175550100-+16175550109")).to_be_visible()
        expect(tenants.get_by_role("button", name="Save changes")).to_have_count(0)

    page.goto(f"{served.url}/#/sms/new")
    page.get_by_role("link", name="Acme Dental").click()
    box(page, "Name").fill("East texts")
    pick(page, "Trunk", "east", "East Coast")
    page.get_by_role("button", name="Save", exact=True).click()
    said(page, "Saved. Copy the webhook into Bandwidth.")
    assert served.api("GET", "sms?name=East%20texts")["items"][0]["tenant_id"] == "acme"


def test_limits_are_stored_with_their_configuration(filled, page):
    served, ids = filled
    page.goto(f"{served.url}/#/sms/{ids['sms']}")
    page.get_by_label("Per second", exact=True).fill("0")
    page.get_by_label("10DLC campaign ID").fill("C1A2B3")
    page.get_by_label("Campaign, per minute").fill("240")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_label("Per second", exact=True)).to_have_accessible_description(
        re.compile("Must be 0.01 or more")
    )
    page.get_by_label("Per second", exact=True).fill("1.5")
    page.get_by_role("button", name="Save changes").click()
    said(page, "Saved")
    limits = served.api("GET", f"sms/{ids['sms']}")["limits"]
    assert (limits["segments_per_second"], limits["burst"]) == (1.5, 1)
    assert (limits["campaign_id"], limits["campaign_segments_per_minute"]) == ("C1A2B3", 240)


def enter(page: Page, name: str, value: Any) -> None:
    """Set a field of a form as the API names it, of whatever kind it is; of an object each of its parts."""
    if isinstance(value, dict):
        for part, one in value.items():
            enter(page, f"{name}.{part}", one)
        return
    place = page.locator(f'[name="{name}"]')
    match place.evaluate("one => one.type"):
        case "checkbox":
            place.set_checked(value)
        case "select-one":
            place.select_option(value)
        case _:
            place.fill(str(value))


def test_every_declared_field_of_a_configuration_is_set_in_its_form(filled, page):
    served, ids = filled
    wanted = {name: field.examples[0] for name, field in SmsConfigFields.model_fields.items() if field.examples}
    made = served.api("POST", "sms", {"name": "New", "provider_id": ids["trunks"]})
    page.goto(f"{served.url}/#/sms/{made['id']}")
    page.get_by_text("Advanced", exact=True).click()
    for name, value in wanted.items():
        enter(page, name, value)
    page.get_by_role("button", name="Save changes").click()
    said(page, "Saved")
    stored = served.api("GET", f"sms/{made['id']}")
    assert {name: stored[name] for name in wanted} == SmsConfigFields.model_validate(wanted).model_dump(mode="json")
    served.api("DELETE", f"sms/{made['id']}")


def test_a_tenant_administrator_makes_a_rule_with_its_own_configurations_only(filled, browser):
    served, _ = filled
    with looking(browser) as page:
        log_in(page, served.url, "ann@acme.example", "#/routing")
        expect(box(page, "Time zone")).to_have_value("America/New_York")
        open_page(page, "Outbound rules")
        page.get_by_role("link", name="Add").click()
        box(page, "Name").fill("Marketing")
        page.get_by_role("checkbox", name="Marketing").check()
        box(page, "SMS configuration").press("ArrowDown")
        offered = page.get_by_role("listbox").get_by_role("option")
        expect(offered.filter(has_text="Dispatch")).to_have_count(0)
        offered.filter(has_text="Toll-free campaign").click()
        page.get_by_role("radio", name=re.compile("^Refuse")).check()
        page.get_by_role("button", name="Add rule").click()
        row = page.get_by_role("row", name=re.compile("^Marketing"))
        expect(row).to_contain_text("Toll-free campaign")
        expect(row).to_contain_text("Refuses")
    stored = served.api("GET", "outbound-rules?name=Marketing")["items"][0]
    assert (stored["tenant_id"], stored["categories"], stored["closed"]) == ("acme", ["marketing"], "block")


# --- finding one of many


def test_a_combobox_is_used_by_keyboard_and_keeps_what_was_chosen(filled, page):
    served, ids = filled
    page.goto(f"{served.url}/#/sms/{ids['sms']}")
    trunk, active = box(page, "Trunk"), page.get_by_role("listbox").get_by_role("option", selected=True)
    trunk.press("ArrowDown")
    expect(active).to_contain_text("Acme main")
    trunk.press("ArrowDown")
    expect(active).to_contain_text("Acme toll-free")
    trunk.press("Escape")
    expect(page.get_by_role("listbox")).to_have_count(0)
    expect(trunk).to_have_value("Acme main")
    trunk.fill("no such trunk")
    expect(page.get_by_role("listbox")).to_have_text("Nothing found")
    trunk.press("Tab")
    expect(trunk).to_have_value("Acme main")
    trunk.fill("toll")
    expect(active).to_contain_text("Acme toll-free")
    trunk.press("Enter")
    expect(trunk).to_have_value("Acme toll-free")
    # Enter right after typing waits for the list and saves nothing before.
    trunk.fill("main")
    trunk.press("Enter")
    expect(active).to_contain_text("Acme main")
    trunk.press("Enter")
    expect(trunk).to_have_value("Acme main")
    assert served.api("GET", f"sms/{ids['sms']}")["provider_name"] == "Acme main"


def test_the_last_of_more_tenants_than_a_list_shows_is_found_and_switched_to(filled, page):
    served, _ = filled
    for number in range(25):
        served.api("POST", "tenants", {"id": f"many{number}", "name": f"Many {number:02}", "country": "US"})
    page.goto(f"{served.url}/#/inbound/new")
    heading(page, "Add inbound rule")
    page.get_by_label("Tenant", exact=True).press("ArrowDown")
    expect(page.get_by_role("listbox")).to_contain_text("8 more: type to narrow them down")
    page.get_by_label("Tenant", exact=True).fill("Many 24")
    page.get_by_role("option", name="Many 24").click()
    expect(page.get_by_role("combobox", name="Tenant to work in")).to_have_value("Many 24")
    expect(page.get_by_role("form", name="Inbound rule")).to_be_visible()

    pick(page, "Tenant to work in", "harb", "Harbor Logistics")
    expect(page).to_have_url(re.compile("#/t/harbor/inbound"))
    open_page(page, "Outbound rules")
    expect(page.get_by_role("heading", name="No outbound rule yet")).to_be_visible()
