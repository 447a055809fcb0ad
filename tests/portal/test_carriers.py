"""The portal's forms are drawn from what a carrier declares: an odd one that no page has heard of is set up in them."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.portal.conftest import looking
from tests.portal.person import heading, log_in, open_page, pick, said
from tests.portal.sample import PASSWORD
from tests.portal.served import Served

pytestmark = pytest.mark.e2e
BRAND = "Spice & Söhne"


@pytest.fixture(scope="module")
def served(serving: Any) -> Iterator[Served]:
    with serving("tests.portal.spicy") as found:
        found.says("store.prepared")
        found.api("POST", "tenants", {"id": "acme", "name": "Acme"})
        found.api("POST", "users", {"name": "admin", "role": "system_admin", "password": PASSWORD})
        yield found


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    with looking(browser, viewport={"width": 1366, "height": 768}, reduced_motion="reduce") as found:
        log_in(found, served.url, "admin", "#/t/acme/trunks")
        yield found


def test_an_odd_carrier_is_set_up_by_what_it_declares(page: Page, served: Served):
    page.get_by_role("link", name="Add a trunk").click()
    page.get_by_label("Name", exact=False).first.fill("Jar")
    page.get_by_label("Brand").select_option(BRAND)
    page.get_by_role("button", name="Add trunk").click()
    said(page, "Jar added, with no numbers")
    served.api("POST", "trunks", {"name": "Usual", "brand": "Bandwidth", "tenant_id": "acme"})

    open_page(page, "SMS/MMS")
    page.get_by_role("link", name="Add an SMS configuration").click()
    expect(page.get_by_text("Choose a trunk first. Its carrier decides which credentials are needed.")).to_be_visible()
    pick(page, "Trunk", "usual", "Usual")
    expect(page.get_by_label("Account ID (Bandwidth User ID)")).to_be_visible()
    expect(page.get_by_role("complementary", name="In Bandwidth")).to_contain_text("Switch on at least")
    pick(page, "Trunk", "jar", "Jar")
    expect(page.get_by_label("Account ID")).to_have_count(0)
    steps = page.get_by_role("complementary", name=f"In {BRAND}")
    expect(steps.get_by_role("listitem")).to_have_text(
        ["Jar. Open the jar.", "Post. Write the webhook address on the lid."]
    )
    expect(steps).to_contain_text("A lid that is not shut loses its scent.")

    page.get_by_label("Name").fill("Kitchen")
    page.get_by_role("button", name="Save", exact=True).click()
    said(page, f"Saved. Copy the webhook into {BRAND}.")
    expect(page.get_by_text("Needs Spice, Paß phrase")).to_be_visible()
    assert served.api("GET", "sms?name=Kitchen")["items"][0]["carrier"] == "spicy"


def test_its_credentials_are_read_tried_and_shown_by_its_own_rules(page: Page, served: Served):
    made = served.api("POST", "trunks", {"name": "Second jar", "brand": BRAND, "tenant_id": "acme"})
    config = served.api("POST", "sms", {"name": "Cellar", "provider_id": made["id"]})
    page.goto(f"{served.url}/#/t/acme/sms/{config['id']}")
    heading(page, "Cellar")
    spice, phrase = page.get_by_label("Spice (Gewürz)"), page.get_by_label("Paß phrase")

    expect(spice).to_have_accessible_description("On the back of the jar.")
    expect(phrase).to_have_attribute("type", "password")
    spice.fill("Saffron")
    phrase.fill("Öffne dich")
    page.get_by_role("button", name="Save changes").click()
    expect(spice).to_have_accessible_description("On the back of the jar. Must be a spice and its weight")
    spice.fill("saffron 2 g")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Everything is set here")).to_be_visible()

    expect(spice).to_have_value("saffron 2 g")
    expect(phrase).to_have_value("")
    page.get_by_text("Advanced", exact=True).click()
    expect(page.get_by_label("Recipe")).to_be_visible()
    expect(page.get_by_label("Callback user")).to_have_count(0)
    page.get_by_role("button", name="Test credentials").click()
    expect(page.get_by_role("status", name="What the test found")).to_contain_text("All is well.")

    spice.fill("salt 1 g")
    page.get_by_role("button", name="Save changes").click()
    said(page, "Saved")
    page.goto(f"{served.url}/#/t/acme/audit")
    row = page.get_by_role("row").filter(has_text="salt 1 g")
    expect(row).to_contain_text("Spice: saffron 2 g → salt 1 g")
    kept = served.api("GET", f"sms/{config['id']}")
    assert (kept["credentials_shown"], kept["missing"]) == ({"spice": "salt 1 g"}, [])


def test_a_trunk_of_another_brand_text_stays_as_it_is_and_can_be_changed(page: Page, served: Served):
    made = served.api(
        "POST", "trunks", {"name": "Old", "brand": "Our wholesaler", "carrier": "spicy", "tenant_id": "acme"}
    )
    page.goto(f"{served.url}/#/t/acme/trunks/{made['id']}")
    heading(page, "Old")

    expect(page.get_by_label("Brand")).to_have_value("Our wholesaler")
    expect(page.get_by_label("Brand").get_by_role("option")).to_have_text(["Our wholesaler", BRAND])
    page.get_by_label("Name", exact=False).first.fill("Renamed")
    page.get_by_role("button", name="Save changes").click()
    page.get_by_role("link", name="Renamed").click()
    page.get_by_label("Brand").select_option(BRAND)
    page.get_by_role("button", name="Save changes").click()
    page.get_by_role("link", name="Renamed").click()

    expect(page.get_by_label("Brand")).to_have_value(BRAND)
    assert served.api("GET", f"trunks/{made['id']}")["carrier"] == "spicy"
