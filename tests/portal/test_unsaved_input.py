"""Nothing a person typed or copied is lost, and nothing fails without a word."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.portal.chromium import PLAIN_HTTP
from tests.portal.conftest import looking
from tests.portal.person import heading, log_in, pick, said
from tests.portal.sample import PASSWORD, fill
from tests.portal.served import Served

pytestmark = pytest.mark.e2e

Filled = tuple[Served, dict[str, str]]


@pytest.fixture(scope="module")
def filled(serving: Any) -> Iterator[Filled]:
    with serving() as served:
        served.says("store.prepared")
        yield served, fill(served)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    options = {"viewport": {"width": 1366, "height": 768}, "reduced_motion": "reduce"}
    with looking(browser, **options) as found:
        yield found


def log_in_again(page: Page, name: str | None = None) -> None:
    dialog = page.get_by_role("dialog", name="Log in again")
    if name is not None:
        dialog.get_by_label("User name").fill(name)
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_label("Password").press("Enter")


def test_copied_is_said_on_plain_http_only_when_the_clipboard_has_it(filled, page):
    served, _ = filled
    log_in(page, served.url.replace("127.0.0.1", PLAIN_HTTP), " admin ", "#/keys")
    assert page.evaluate("navigator.clipboard") is None
    page.get_by_role("link", name="Add").click()
    page.get_by_label("Name").fill("Plain")
    page.get_by_role("button", name="Make key").click()
    dialog = page.get_by_role("dialog", name="Copy the key now")
    key = dialog.get_by_label("API key", exact=True).text_content()
    for _ in range(3):
        page.keyboard.press("Escape")
    page.mouse.click(5, 400)
    expect(dialog).to_be_visible()
    page.go_back()
    expect(dialog).to_be_visible()

    dialog.get_by_role("button", name="Copy key").click()
    said(page, "Key copied")
    dialog.get_by_role("button", name="I have copied it").click()
    page.get_by_role("searchbox").press("Control+v")
    expect(page.get_by_role("searchbox")).to_have_value(str(key))

    page.evaluate("document.execCommand = () => false")
    page.goto(f"{page.url.partition('#')[0]}#/t/acme/sms")
    page.get_by_role("button", name="Copy webhook address of Front desk").click()
    by_hand = page.get_by_role("dialog", name="Press Ctrl+C")
    expect(by_hand.get_by_role("textbox")).to_be_focused()
    assert page.evaluate("getSelection().toString()") == by_hand.get_by_role("textbox").input_value()
    by_hand.get_by_role("button", name="Done").click()
    expect(page.get_by_role("status").filter(has_text="copied")).to_have_count(0)


def test_a_form_outlives_the_session_and_is_saved_after_log_in(filled, page):
    served, ids = filled
    log_in(page, served.url, "admin", f"#/trunks/{ids['trunks']}")
    page.get_by_label("Host name").fill("first.example.com")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("dialog", name="Log in again")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("alert")).to_have_text("Your session has ended. Log in again to go on.")
    expect(page.get_by_label("Host name")).to_have_value("first.example.com")

    page.get_by_role("button", name="Save changes").click()
    log_in_again(page)
    heading(page, "Trunks & DIDs")
    assert served.api("GET", f"trunks/{ids['trunks']}")["hostname"] == "first.example.com"

    # Logged in anew in another window, the token of this one is too old: it is asked for again, without a word.
    page.goto(f"{served.url}/#/trunks/{ids['trunks']}")
    other = page.context.new_page()
    other.request.post(f"{served.url}/api/v1/session", data={"username": "admin", "password": PASSWORD})
    page.get_by_label("Host name").fill("second.example.com")
    page.get_by_role("button", name="Save changes").click()
    heading(page, "Trunks & DIDs")
    assert served.api("GET", f"trunks/{ids['trunks']}")["hostname"] == "second.example.com"


def test_another_person_who_logs_in_gets_nothing_of_the_form(filled, page):
    served, ids = filled
    log_in(page, served.url, "ann@acme.example", f"#/trunks/{ids['trunks']}")
    page.get_by_label("Host name").fill("anns.example.com")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save changes").click()
    log_in_again(page, "admin")
    expect(page.get_by_role("dialog", name="admin is logged in now")).to_contain_text("It is not saved for admin")
    page.get_by_role("button", name="Log in as ann@acme.example").click()
    log_in_again(page, "admin")
    page.get_by_role("button", name="Leave it, go on as admin").click()

    heading(page, "SMS/MMS")
    expect(page.get_by_role("combobox", name="Tenant to work in")).to_have_value("All tenants")
    assert served.api("GET", f"trunks/{ids['trunks']}")["hostname"] != "anns.example.com"


def test_what_was_typed_is_not_left_without_a_question(filled, page):
    served, _ = filled
    log_in(page, served.url, "admin", "#/t/acme/extensions")
    page.get_by_role("link", name="101").click()
    heading(page, "Extension 101")
    page.get_by_label("Groups").fill("night shift")
    question = page.get_by_role("dialog", name="Leave without saving?")
    switcher = page.get_by_role("combobox", name="Tenant to work in")

    def stays(leave: Any) -> None:
        address = page.url
        leave()
        question.get_by_role("button", name="Stay").click()
        heading(page, "Extension 101")
        expect(page.get_by_label("Groups")).to_have_value("night shift")
        expect(page).to_have_url(address)
        expect(question).to_have_count(0)

    stays(page.get_by_role("link", name="Audit log").click)
    stays(page.go_back)
    stays(page.get_by_role("button", name="Log out").click)
    stays(lambda: pick(page, "Tenant to work in", "harb", "Harbor Logistics"))
    expect(switcher).to_have_value("Acme Dental")
    asked: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    with page.expect_event("dialog"):
        page.once("dialog", dismiss)
        page.evaluate("setTimeout(() => location.reload())")
    expect(page.get_by_label("Groups")).to_have_value("night shift")
    assert asked == ["beforeunload"]

    page.get_by_role("link", name="Audit log").click()
    question.get_by_role("button", name="Leave without saving").click()
    heading(page, "Audit log")
    page.go_back()
    heading(page, "Extension 101")
    expect(page.get_by_label("Groups")).to_have_value("dentists; reception")
    page.get_by_label("Groups").fill("dentists; reception")
    page.go_back()
    heading(page, "Extensions")


def test_nothing_fails_without_a_word(filled, page):
    served, ids = filled
    log_in(page, served.url, "admin", f"#/sms/{ids['sms']}")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("dialog", name="It cannot be deleted now")).to_contain_text("Reception")
    page.get_by_role("button", name="Understood").click()

    problem = page.get_by_role("alert")
    away = "The gateway cannot be reached. Check the connection and try again."
    page.route(re.compile("/api/v1/"), lambda route: route.abort())
    page.get_by_role("button", name="New address…").click()
    page.get_by_role("button", name="Make a new address").click()
    expect(problem).to_contain_text(away)
    page.get_by_role("button", name="Close this message").click()
    page.get_by_role("button", name="Log out").click()
    expect(problem).to_contain_text(away)
    page.unroute_all()

    refused = {"code": "conflict", "message": "It is used elsewhere.", "errors": [], "request_id": "r-1"}
    page.goto(f"{served.url}/#/t/acme/sms")
    page.route(re.compile("/disable$"), lambda route: route.fulfill(status=409, json=refused))
    expect(problem).to_have_count(0)
    page.get_by_role("switch", name="Front desk enabled").click()
    expect(problem).to_contain_text("It is used elsewhere.")
    expect(problem).to_contain_text("Request r-1")


def test_a_new_webhook_address_leaves_what_was_typed(filled, page):
    served, ids = filled
    log_in(page, served.url, "admin", f"#/sms/{ids['sms']}")
    before = page.get_by_label("Webhook address", exact=True).text_content()
    page.get_by_label("Name").fill("Front office")
    page.get_by_role("button", name="New address…").click()
    page.get_by_role("button", name="Make a new address").click()
    said(page, "There is a new webhook address")
    expect(page.get_by_label("Webhook address", exact=True)).not_to_have_text(str(before))
    expect(page.get_by_label("Name")).to_have_value("Front office")
    page.get_by_role("button", name="Save changes").click()
    heading(page, "Front office")
    served.api("PATCH", f"sms/{ids['sms']}", {"name": "Front desk"})


def test_a_browser_that_drops_the_cookie_is_told_so_and_a_refusal_is_told_in_the_servers_words(filled, page):
    served, _ = filled
    page.goto(served.url)
    needed = {"code": "https_needed", "message": "Open it by https: https://sms-admin.example.com", "errors": []}
    page.route("**/api/v1/session", lambda route: route.fulfill(status=403, json=needed))
    form = page.get_by_role("form", name="Log in")
    form.get_by_label("User name").fill("admin")
    form.get_by_label("Password").fill(PASSWORD)
    form.get_by_label("Password").press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Open it by https: https://sms-admin.example.com")

    def dropped(route: Any) -> None:
        answer = route.fetch()
        headers = {name: value for name, value in answer.headers.items() if name != "set-cookie"}
        page.context.clear_cookies()
        route.fulfill(response=answer, headers=headers)

    page.unroute_all()
    page.route("**/api/v1/session", dropped)
    form.get_by_label("Password").fill(PASSWORD)
    form.get_by_label("Password").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("this browser does not keep the session")
