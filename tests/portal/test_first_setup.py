"""What a person does in the portal, page by page, against a real config service."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.portal.conftest import looking
from tests.portal.person import copied, heading, log_in, pick, said
from tests.portal.sample import FAILED, PASSWORD, fill
from tests.portal.served import Served

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def filled(serving: Any) -> Iterator[tuple[Served, dict[str, str]]]:
    with serving() as served:
        served.says("store.prepared")
        yield served, fill(served)


def test_a_wrong_password_is_told_and_the_page_asked_for_opens_after_log_in(filled, page):
    served, _ = filled
    page.goto(f"{served.url}/#/t/acme/messages?direction=IN")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("The user name or the password is wrong.")
    expect(page.get_by_label("Password")).to_have_value("")

    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()

    heading(page, "Message history")
    expect(page.get_by_role("row")).to_have_count(2)


def test_the_second_of_two_writers_sees_what_changed_and_decides(filled, page):
    served, ids = filled
    log_in(page, served.url, "admin", f"#/sms/{ids['sms']}")

    def both_change(theirs: str, mine: str) -> None:
        page.reload()
        heading(page, served.api("GET", f"sms/{ids['sms']}")["name"])
        served.api("PATCH", f"sms/{ids['sms']}", {"sender_id": theirs})
        page.get_by_label("Name").fill(mine)
        page.get_by_role("button", name="Save changes").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("row", name="Sender ID")).to_contain_text(theirs)
        expect(dialog.get_by_role("row", name="Sender ID")).to_contain_text("was changed by bootstrap")

    both_change("+12025550141", "Mine")
    page.get_by_role("button", name="Back to the form").click()
    expect(page.get_by_role("alert")).to_contain_text("Not saved")
    expect(page.get_by_label("Name")).to_have_value("Mine")

    both_change("+12025550142", "Mine")
    page.get_by_role("button", name="Reload").click()
    expect(page.get_by_label("Name")).to_have_value("Front desk")
    expect(page.get_by_label("Sender ID")).to_have_value("+12025550142")

    both_change("+12025550144", "Mine")
    page.get_by_role("button", name="Overwrite").click()
    heading(page, "Mine")
    stored = served.api("GET", f"sms/{ids['sms']}")
    assert (stored["name"], stored["sender_id"]) == ("Mine", "+12025550144")
    served.api("PATCH", f"sms/{ids['sms']}", {"name": "Front desk"})


def test_a_tenant_administrator_is_refused_another_tenants_pages(filled, page):
    served, _ = filled
    harbor = served.api("GET", "sms?name=Dispatch")["items"][0]["id"]
    log_in(page, served.url, "ann@acme.example")
    heading(page, "SMS/MMS")
    expect(page.get_by_role("row")).to_have_count(4)
    expect(page.get_by_role("link", name="Tenants")).to_have_count(0)

    for address in (f"#/sms/{harbor}", "#/t/harbor/sms", "#/t/harbor/messages", "#/tenants/harbor", "#/t/nobody/sms"):
        page.goto(f"{served.url}/{address}")
        heading(page, "Not found")
        expect(page.get_by_text("Harbor")).to_have_count(0)


def test_a_page_is_reached_and_used_by_keyboard_and_by_double_click(filled, page):
    served, _ = filled
    log_in(page, served.url, "admin", "#/t/acme/trunks")
    heading(page, "Trunks & DIDs")

    page.get_by_role("row", name="Acme main").dblclick(position={"x": 600, "y": 20})
    heading(page, "Acme main")
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("navigation", name="Back").get_by_role("link")).to_be_focused()
    page.keyboard.press("Enter")
    heading(page, "Trunks & DIDs")
    expect(page.get_by_role("heading", level=1)).to_be_focused()

    page.reload()
    heading(page, "Trunks & DIDs")
    page.get_by_role("link", name="Skip to content").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_a_failed_message_is_found_and_explained(filled, page):
    served, _ = filled
    log_in(page, served.url, "ann@acme.example", "#/messages")
    page.get_by_label("Number").fill("(312) 555-0102")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("row", name="Failed").get_by_role("link").click()

    heading(page, "Text to +13125550102")
    expect(page.get_by_text("The recipient has opted out of texts from this sender.").first).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Carrier's code 4732")).to_be_visible()
    assert FAILED["id"] in page.url


def test_a_message_under_way_is_looked_at_again(filled, page):
    served, _ = filled
    log_in(page, served.url, "ann@acme.example", "#/messages?status=submitted")
    page.get_by_role("row", name="Submitted").get_by_role("link").click()
    heading(page, "Text to +13125550103")

    with page.expect_response(lambda answer: "/api/v1/messages/" in answer.url) as again:
        pass
    assert again.value.status == 200


def test_a_list_that_is_not_counted_to_its_end_says_so(filled, page):
    served, _ = filled
    many = {**served.api("GET", "messages?tenant_id=acme"), "count": 10_000, "more": True}
    page.route("**/api/v1/messages?**", lambda route: route.fulfill(json=many))
    log_in(page, served.url, "ann@acme.example", "#/messages")
    expect(page.get_by_text("5 of at least 10,000")).to_be_visible()
    expect(page.get_by_role("link", name="Next")).to_be_visible()


def test_a_key_is_shown_once(filled, page):
    served, _ = filled
    log_in(page, served.url, "admin", "#/keys")
    page.get_by_role("link", name="Add").click()
    page.get_by_label("Name").fill("Walk")
    page.get_by_role("checkbox", name="read").uncheck()
    page.get_by_role("button", name="Make key").click()
    expect(page.get_by_text("needs at least one")).to_be_visible()
    page.get_by_role("checkbox", name="config").check()
    page.get_by_role("button", name="Make key").click()
    key = page.get_by_role("dialog").get_by_label("API key", exact=True).text_content()
    assert key is not None
    assert key.startswith("sms_")
    page.get_by_role("button", name="I have copied it").click()

    heading(page, "API keys")
    expect(page.get_by_role("row", name="Walk")).to_contain_text("config")
    assert key not in page.content()


def test_a_user_is_added_and_the_last_administrator_stays(filled, page):
    served, _ = filled
    log_in(page, served.url, "admin", "#/users/new")
    page.get_by_label("User name").fill("ANN@acme.example")
    pick(page, "Tenant", "harb", "Harbor Logistics")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Add user").click()
    expect(page.get_by_text("Is taken")).to_be_visible()
    page.get_by_label("User name").fill("second")
    page.get_by_role("button", name="Add user").click()
    heading(page, "Users")
    expect(page.get_by_role("row", name="second")).to_contain_text("Tenant administrator")

    page.get_by_role("link", name="admin", exact=True).click()
    page.get_by_role("switch", name="Disabled").check()
    page.get_by_role("button", name="Save changes").click()
    page.get_by_role("button", name="Disable me").click()
    expect(page.get_by_role("alert")).to_contain_text("last system administrator")


def test_what_cannot_be_deleted_says_why(filled, page):
    served, ids = filled
    log_in(page, served.url, "admin", f"#/trunks/{ids['trunks']}")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("The trunk is used by 2 SMS configurations")
    page.get_by_role("button", name="Understood").click()
    heading(page, "Acme main")


def test_on_a_phone_the_navigation_is_behind_a_button(filled, browser):
    served, _ = filled
    with looking(browser, viewport={"width": 390, "height": 844}, reduced_motion="reduce") as page:
        log_in(page, served.url, "ann@acme.example")
        link = page.get_by_role("navigation", name="Pages").first.get_by_role("link", name="Audit log")
        expect(link).to_be_hidden()
        page.get_by_role("button", name="Menu").click()
        expect(page.get_by_role("button", name="Menu")).to_have_attribute("aria-expanded", "true")
        link.click()
        heading(page, "Audit log")
        expect(link).to_be_hidden()


def test_the_list_copies_a_webhook_and_switches_a_configuration_off(filled, page):
    served, ids = filled
    log_in(page, served.url, "admin", "#/t/acme/sms")
    page.get_by_role("button", name="Copy webhook address of Front desk").click()
    said(page, "Webhook address of Front desk copied")
    assert copied(page) == served.api("GET", f"sms/{ids['sms']}")["webhook"]

    page.get_by_role("switch", name="Front desk enabled").click()
    said(page, "Front desk disabled")
    expect(page.get_by_role("row", name="Front desk").get_by_role("cell", name="Disabled")).to_be_visible()
    page.get_by_role("switch", name="Front desk enabled").click()
    said(page, "Front desk enabled")
