"""A person finds things again, sees what is the matter, and reads the words of the screen."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.portal.conftest import looking
from tests.portal.parked import publish
from tests.portal.person import heading, log_in, open_page, said
from tests.portal.sample import FAILED, PASSWORD, fill
from tests.portal.served import Served

pytestmark = pytest.mark.e2e

Filled = tuple[Served, dict[str, str]]
LAPTOP = {"viewport": {"width": 1366, "height": 768}, "reduced_motion": "reduce"}
EXTENSIONS = 60
LONG = "n" * 64


@pytest.fixture(scope="module")
def filled(serving: Any) -> Iterator[Filled]:
    with serving() as served:
        served.says("store.prepared")
        ids = fill(served)
        publish(served.amqp_url, [])  # which makes what the dispatcher makes, for the pages that listen
        for number in (1010, 1009, *range(1011, 1011 + EXTENSIONS)):
            served.api("POST", "extensions", {"extension": str(number), "tenant_id": "acme"})
        yield served, ids


@pytest.fixture(scope="module")
def cookies(filled: Filled, browser: Browser) -> Any:
    """The session of a system administrator."""
    with looking(browser) as page:
        log_in(page, filled[0].url, "admin")
        return page.context.storage_state()


@pytest.fixture
def page(browser: Browser, cookies: Any) -> Iterator[Page]:
    """A laptop's window in which a system administrator is logged in."""
    with looking(browser, storage_state=cookies, **LAPTOP) as found:
        yield found


def box(page: Page, label: str) -> Locator:
    return page.get_by_role("textbox", name=label, exact=True)


def test_a_list_is_found_again_as_it_was_left(filled, page):
    served, _ = filled
    page.goto(f"{served.url}/#/t/acme/extensions")
    rows = page.get_by_role("rowheader")
    expect(rows).to_have_text(["101", "199", *map(str, range(1009, 1032))])

    page.get_by_role("searchbox").fill("10")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Next").click()
    expect(rows.first).to_have_text("1033")
    address = page.url
    page.evaluate("scrollTo(0, 100)")
    for way in ("Back", "Save changes", "the browser's"):
        rows.last.get_by_role("link").dispatch_event("click")  # which does not scroll, as a person does who sees it
        heading(page, "Extension 1057")
        if way == "Save changes":
            page.get_by_label("Groups").fill("night")
            page.get_by_role("button", name=way).click()
            said(page, "Saved")
        elif way == "Back":
            page.get_by_role("link", name=way, exact=True).click()
        else:
            page.go_back()
        expect(page).to_have_url(address)
        expect(rows.first).to_have_text("1033")
        expect(page.locator("html")).to_have_js_property("scrollTop", 100)
    # What was said is of the page it was said on.
    open_page(page, "Audit log")
    expect(page.locator("#said")).not_to_have_class(re.compile("shown"))


NOT_NOW = "This cannot be shown now"
WRONG = {
    "a time that is none": ("#/t/acme/messages?since=zzz", "Message history", "“zzz” in the address is no time"),
    "a status that is none": ("#/t/acme/messages?status=zzz", "Message history", "Must be 'accepted'"),
    "a page that is none": ("#/t/acme/trunks?skip=zzz", NOT_NOW, "Page: must be a whole number"),
    "a tenant that is none": ("#/t/nobody/sms", "Not found", "There is no tenant “nobody”."),
    "beyond the end": ("#/t/acme/trunks?skip=75", "Trunks & DIDs", "There are 3 entries, and none on this page."),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_address_says_what_is_wrong_and_leads_out(filled, page, name):
    served, _ = filled
    address, title, words = WRONG[name]
    page.goto(f"{served.url}/{address}")
    heading(page, title)
    expect(page.get_by_role("main")).to_contain_text(words)
    page.get_by_role("main").get_by_role(
        "link", name=re.compile("Clear|Show all|To the first page|All tenants")
    ).click()
    expect(page.get_by_role("main")).not_to_contain_text(words)
    expect(page.get_by_role("table").or_(page.get_by_role("heading", name="Message history")).first).to_be_visible()


def test_a_page_that_turns_by_itself_says_when_it_cannot_and_goes_on(filled, page):
    served, _ = filled
    away = re.compile("events/messages")
    page.route(away, lambda route: route.abort())
    page.goto(f"{served.url}/#/t/acme/messages")
    bar = page.get_by_role("status").filter(has_text="may be out of date")
    expect(bar).to_contain_text("The gateway cannot be reached")
    page.unroute(away)
    expect(bar).to_have_count(0, timeout=15_000)  # it pauses longer from time to time

    ended = {"code": "unauthenticated", "message": "A valid API key is needed.", "errors": []}
    page.route(away, lambda route: route.fulfill(status=401, json=ended))
    page.reload()
    expect(bar).to_contain_text("Your session has ended")
    page.unroute(away)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("dialog").get_by_label("Password").fill(PASSWORD)
    page.get_by_role("dialog").get_by_role("button", name="Log in").click()
    expect(bar).to_have_count(0)
    expect(page.get_by_role("table")).to_be_visible()


def test_errors_come_at_once_in_the_words_of_the_screen(filled, page):
    served, ids = filled
    page.goto(f"{served.url}/#/t/acme/trunks/new")
    box(page, "Default number").fill("+1 202 555 0199")
    box(page, "Host name").fill("a b")
    page.get_by_role("button", name="Add trunk").click()
    expect(box(page, "Name")).to_be_focused()
    expect(box(page, "Name")).to_have_accessible_description("Must have 1 to 64 characters")
    default = box(page, "Default number")
    expect(default).to_have_accessible_description(re.compile("Is not one of the numbers in “Numbers \\(DID pool\\)”"))
    expect(box(page, "Host name")).to_have_attribute("aria-invalid", "true")
    box(page, "Numbers (DID pool)").fill("+1 202 555 01")
    page.get_by_role("button", name="Add trunk").click()
    expect(box(page, "Numbers (DID pool)")).to_have_accessible_description(re.compile("\\+1 202 555 01”?"))
    expect(page.get_by_role("main")).not_to_contain_text(re.compile("[+0-9]\\*\\*\\*|dids|default_did"))

    # What the page finds itself is told with it.
    page.goto(f"{served.url}/#/sms/{ids['sms']}")
    page.get_by_role("button", name="Leave without saving").click()
    heading(page, "Front desk")
    page.get_by_label("Name").fill("")
    page.get_by_label("Callback password").fill("short")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_label("Callback password")).to_have_accessible_description(
        re.compile("Must have 8 characters or more; Generate makes one")
    )
    expect(page.get_by_label("Name")).to_have_accessible_description("Must have 1 to 64 characters")
    expect(page.get_by_label("Name")).to_be_focused()
    page.get_by_label("Name").fill("Front desk")
    page.get_by_label("Callback password").fill("")
    page.get_by_label("Callback user").fill("")
    page.get_by_role("button", name="Save changes").click()
    said(page, "Saved")
    page.get_by_text("Advanced", exact=True).click()
    page.get_by_label("Callback user").fill("bandwidth")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_label("Callback password")).to_have_accessible_description(re.compile("Is required with a"))
    expect(page.get_by_role("main")).not_to_contain_text("null")


def test_a_sender_that_is_nobodys_number_and_a_pasted_list_are_told(filled, page):
    served, ids = filled
    page.goto(f"{served.url}/#/sms/{ids['sms']}")
    sender = box(page, "Sender ID")
    for given, says in (
        ("202 555 0143", ""),
        ("+13125550100", "This is not one of the trunk's numbers."),
        ("+12025550160", ""),
        ("ACME", "A name, not a number"),
    ):
        sender.fill(given)
        sender.press("Tab")
        expect(page.locator("#field-sender_id-warning")).to_have_text(re.compile(f"^{says}"))
        expect(page.locator("#field-sender_id-warning")).to_be_visible(visible=bool(says))
    sender.fill("+12025550143")

    page.goto(f"{served.url}/#/t/north/trunks/new")
    box(page, "Name").fill("North")
    numbers = box(page, "Numbers (DID pool)")
    numbers.fill("+1 312 555 0110\n312-555-0112\t(312) 555-0114;+13125550120 - +13125550129")
    expect(page.get_by_text("Read as 3 numbers, 1 range (13 numbers in all).")).to_be_visible()


def test_nobody_takes_its_own_rights_away_unasked(filled, browser):
    served, ids = filled
    with looking(browser, **LAPTOP) as page:
        log_in(page, served.url, "ann@acme.example", "#/tenants")
        heading(page, "Not allowed")
        expect(page.get_by_role("link", name="Add")).to_have_count(0)
        page.goto(f"{served.url}/#/users/{ids['users']}")
        page.get_by_role("switch", name="Disabled").check()
        page.get_by_role("button", name="Save changes").click()
        question = page.get_by_role("dialog", name="Disable yourself?")
        question.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("alert")).to_contain_text("Not saved")
        assert served.api("GET", f"users/{ids['users']}")["disabled"] is False
        page.get_by_role("switch", name="Disabled").uncheck()

        page.get_by_role("link", name="ann@acme.example").first.click()
        heading(page, "Your account")
        box(page, "Present password").fill("not the password")
        box(page, "New password").fill("short")
        box(page, "New password again").fill("shorter")
        page.get_by_role("button", name="Change password").click()
        expect(box(page, "New password again")).to_have_accessible_description("Is not the same as the new password")
        expect(box(page, "New password")).to_have_accessible_description(re.compile("Must have 12 to 256 characters"))
        for label in ("New password", "New password again"):
            box(page, label).fill("another long password")
        page.get_by_role("button", name="Change password").click()
        expect(box(page, "Present password")).to_have_accessible_description("Is not the present password")
        box(page, "Present password").fill(PASSWORD)
        page.get_by_role("button", name="Change password").click()
        said(page, "Password changed. Everywhere else you are logged out.")
        open_page(page, "Users")
    served.api("PATCH", f"users/{ids['users']}", {"password": PASSWORD})


def test_a_text_that_waits_has_one_line_for_all_tries(filled, page):
    served, _ = filled
    steps = [{"status": "accepted", "at": "2026-11-24T17:00:59Z", "sequence": 1}]
    for tries in range(15):
        at = f"2026-11-24T17:{1 + tries // 6:02}:{tries % 6 * 10:02}Z"
        steps += [{"status": "submitting", "at": at, "sequence": 0}]
        steps += [{"status": "queued", "at": at, "sequence": 0, "code": "carrier_unreachable"}]
    waiting = {**FAILED, "status": "queued", "final": False, "error": None, "history": steps, "media": ["x"]}
    page.route(re.compile(f"/messages/{FAILED['id']}"), lambda route: route.fulfill(json=waiting))
    page.goto(f"{served.url}/#/t/acme/messages/{FAILED['id']}")
    lines = page.get_by_role("complementary", name="Timeline").get_by_role("listitem")
    expect(lines).to_have_count(3)
    expect(lines.last).to_contain_text(re.compile("Tried 15 times, 12:01:00.PM to 12:03:20.PM"))
    expect(page.get_by_text("1 media file", exact=True)).to_be_visible()


def test_what_is_said_and_shown_fits(filled, page):
    served, _ = filled
    page.goto(f"{served.url}/#/t/acme/messages?number=5550102")
    expect(page.get_by_label("Number")).to_have_accessible_description("“5550102” lacks its area code.")
    page.get_by_label("Number").fill("+13125550999")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("A number is found as a whole only")).to_be_visible()

    page.goto(f"{served.url}/#/dead?code=not_utf8")
    reasons = ["Any reason", "It failed again and again", "It could not be handed", "It is not UTF-8"]
    for reason in reasons:
        expect(page.get_by_label("Why").locator("option").filter(has_text=reason)).to_have_count(1)

    page.goto(f"{served.url}/#/keys/new")
    expect(page.get_by_role("checkbox", name=re.compile("^send"))).to_have_count(0)
    page.goto(f"{served.url}/#/t/acme/keys")
    page.get_by_role("link", name="PortSIP main").click()
    expect(page.get_by_role("checkbox", name=re.compile("^send"))).to_have_accessible_name(re.compile("Nothing yet"))

    served.api("POST", "trunks", {"name": LONG, "brand": "Bandwidth", "tenant_id": "harbor"})
    page.goto(f"{served.url}/#/t/harbor/trunks")
    region = page.get_by_role("region", name="Trunks")
    expect(region).to_contain_text(LONG)
    assert region.evaluate("element => element.scrollWidth <= element.clientWidth")
    page.get_by_role("link", name=LONG).click()
    heading(page, LONG)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.emulate_media(media="print")
    expect(page.get_by_role("button")).to_have_count(0)


def test_the_question_to_explain_is_in_the_address(filled, page):
    served, _ = filled
    page.goto(f"{served.url}/#/t/acme/explain")
    page.get_by_label("From extension").fill("101")
    box(page, "To").fill("+13125550101")
    box(page, "Text").fill("Is 100% & more?")
    page.get_by_role("button", name="Explain").click()
    answer = page.get_by_role("heading", name=re.compile("^It would"))
    expect(answer).to_be_visible()
    page.reload()
    expect(answer).to_be_visible()
    expect(box(page, "Text")).to_have_value("Is 100% & more?")


def test_the_moment_of_a_conflict_is_readable(filled, page):
    served, ids = filled
    page.goto(f"{served.url}/#/keys/{ids['keys']}")
    heading(page, "PortSIP main")
    served.api("PATCH", f"api-keys/{ids['keys']}", {"name": "at 9", "expires_at": "2030-01-31T17:00:00Z"})
    page.get_by_label("Name").fill("Mine")
    page.get_by_role("button", name="Save changes").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("row", name="Expires")).to_contain_text("Jan 31, 2030, 12:00")
    expect(dialog).not_to_contain_text(re.compile(r"\dT\d\d:"))
    dialog.get_by_role("button", name="Reload").click()
    expect(page.get_by_label("Name")).to_have_value("at 9")
