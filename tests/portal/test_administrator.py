"""The usual way of an administrator, in its order, through the real services and a simulated Bandwidth: from the first
link to texts that go out, come in and are routed.
"""

import re
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from sms_common.carriers.protocol import TEST_BODY
from tests.eventually import eventually
from tests.portal.conftest import looking
from tests.portal.person import copied, heading, log_in, open_page, said
from tests.portal.sample import PASSWORD
from tests.portal.whole import Whole

pytestmark = pytest.mark.e2e

HANDSET = "+13125550188"
DID = "+12025550143"
CREDENTIALS = {
    "Account ID (Bandwidth User ID)": "9900123",
    "Application ID": "93de2206-9669-4e07-948d-329f4b722ee2",
    "API Token": "the-token-of-the-walk",
    "API Secret": "the-secret-of-the-walk",
}


def set_up(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_label("User name").fill("root")
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Make administrator").click()
    expect(page.get_by_text("Must have 12 to 256 characters")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make administrator").click()
    heading(page, "SMS/MMS")


def add_tenant(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("ID", exact=True).fill(name.lower())
    page.get_by_role("button", name="Add tenant").click()
    heading(page, "Tenants")


def add_trunk(page: Page) -> None:
    page.get_by_role("link", name="Add a trunk").click()
    page.get_by_label("Name", exact=False).first.fill("Main")
    page.get_by_label("Numbers").fill("202 555 0140 - 202 555 0149")
    page.get_by_label("Default number").fill("2025550150")
    page.get_by_role("button", name="Add trunk").click()
    expect(page.get_by_text("Is not one of the numbers in “Numbers (DID pool)”")).to_be_visible()
    page.get_by_label("Default number").fill(DID)
    page.get_by_role("button", name="Add trunk").click()
    said(page, "Main added, with 1 range (10 numbers in all)")
    expect(page.get_by_role("cell", name=DID)).to_be_visible()


def add_draft(page: Page) -> str:
    """Save with a name alone; the webhook that is shown and copied."""
    open_page(page, "SMS/MMS")
    page.get_by_role("link", name="Add an SMS configuration").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Must have 1 to 64 characters")).to_be_visible()
    page.get_by_label("Name").fill("Front desk")
    page.get_by_role("button", name="Save").click()
    said(page, "Saved. Copy the webhook into Bandwidth.")
    expect(page.get_by_text("Needs Account ID, Application ID, API token, API secret")).to_be_visible()
    page.get_by_role("button", name="Copy webhook address", exact=True).click()
    said(page, "Webhook address copied")
    webhook = copied(page)
    assert webhook == page.get_by_label("Webhook address", exact=True).text_content()
    return webhook


def complete(page: Page) -> dict[str, str]:
    """Enter the credentials and generate those of the webhook; these are noted for Bandwidth."""
    for label, value in CREDENTIALS.items():
        page.get_by_label(label).fill(value)
    page.get_by_text("Advanced", exact=True).click()
    page.get_by_role("button", name="Generate").click()
    noted = {
        "username": page.get_by_label("Callback user").input_value(),
        "password": page.get_by_label("Callback password").input_value(),
    }
    assert len(noted["password"]) == 24
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Active", exact=True)).to_be_visible()
    expect(page.get_by_text("Everything is set here")).to_be_visible()
    expect(page.get_by_label("API Secret")).to_have_value("")
    assert CREDENTIALS["API Secret"] not in page.content()
    return noted


def paste_into_bandwidth(whole: Whole, webhook: str, callback: dict[str, str]) -> None:
    account, application, token, secret = CREDENTIALS.values()
    details: dict[str, Any] = {
        "application_id": application,
        "inbound_url": webhook,
        "outbound_url": webhook,
        "inbound_credentials": callback,
        "outbound_credentials": callback,
        "numbers": [DID],
    }
    whole.open_account(account, {"client_id": token, "client_secret": secret}, details)


def answered(webhook: str) -> int:
    """What ingress answers without credentials: 401 once it has those that were saved."""
    try:
        with urlopen(Request(webhook, TEST_BODY), timeout=10) as answer:  # our own address
            return int(answer.status)
    except HTTPError as refused:
        return refused.code


def tries_it(page: Page, whole: Whole, webhook: str) -> None:
    """Both tests say that all is well: the credentials at the simulated Bandwidth, the webhook at the real ingress."""
    whole.do(eventually(lambda: answered(webhook), lambda status: status == 401))
    found = page.get_by_role("status", name="What the test found")
    page.get_by_role("button", name="Test credentials").click()
    expect(found).to_contain_text("Bandwidth lets these credentials see the account")
    page.get_by_role("button", name="Test webhook").click()
    expect(found).to_contain_text("It is taken: the address and the credentials are right")


def webhooks_were_seen(page: Page, whole: Whole) -> None:
    whole.do(whole.gateway.stop("ingress"))  # at its end it tells what it has seen
    config = whole.do(whole.gateway.api("GET", "/sms?name=Front desk"))["items"][0]["id"]
    whole.until_health(config, "ok")
    open_page(page, "SMS/MMS")
    expect(page.get_by_role("row", name="Front desk")).to_contain_text("OK")
    page.get_by_role("link", name="Front desk").click()
    expect(page.get_by_text("message-received, answered 200, from 127.0.0.1.")).to_be_visible()


def add_rule(page: Page) -> None:
    """Texts to the ten numbers go to ten extensions, one to one."""
    open_page(page, "Inbound rules")
    page.get_by_role("link", name="Add an inbound rule").click()
    page.get_by_label("Name").fill("Desks")
    page.get_by_label("DID numbers").fill("202 555 0140 - 202 555 0149")
    page.get_by_role("checkbox", name="MMS, with files").uncheck()
    page.get_by_label("In office hours: destination").fill("100-108")
    expect(page.get_by_text("The DID range has 10 numbers and the destinations are 9.")).to_be_visible()
    page.get_by_label("In office hours: destination").fill("100-109")
    expect(page.get_by_text("One to one: 2025550140 → 100, … 2025550149 → 109")).to_be_visible()
    page.get_by_role("button", name="Add rule").click()
    expect(page.get_by_role("row", name="Desks")).to_contain_text("Extension 100-109")


def explained(page: Page) -> None:
    open_page(page, "Explain")
    page.get_by_role("tab", name="Inbound").click()
    page.get_by_role("textbox", name="From").fill(HANDSET)
    page.get_by_label("To number (DID)").fill("202 555 0143")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("heading", name="It would go to extension 103")).to_be_visible()
    expect(page.get_by_role("row", name="Desks")).to_contain_text("Decides")
    page.get_by_label("Channel").select_option("MMS")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("heading", name=f"It would go to DID {DID[1:]}")).to_be_visible()
    expect(page.get_by_role("row", name="Desks")).to_contain_text("It is not for MMS.")

    page.get_by_role("tab", name="Outbound").click()
    page.get_by_label("From extension").fill("103")
    page.get_by_role("textbox", name="To", exact=True).fill(HANDSET)
    page.get_by_role("textbox", name="Text").fill("Hello")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("heading", name="It would be sent")).to_be_visible()
    expect(page.get_by_role("region", name="Answer")).to_contain_text(DID)


def a_text_goes_out(page: Page, whole: Whole) -> None:
    """The page that is open turns to delivered once Bandwidth can tell, without being loaded again."""
    whole.do(whole.gateway.stop("ingress"))
    whole.publish(
        {"message_id": "walk-1", "tenant_id": "acme", "extension": "103", "to": HANDSET, "text": "Your table is ready"}
    )
    whole.do(whole.gateway.until_arrived(1))
    open_page(page, "Message history")
    page.get_by_role("row", name=HANDSET).get_by_role("link").click()
    heading(page, f"Text to {HANDSET}")
    expect(page.get_by_text("Your table is ready")).to_be_visible()
    whole.do(whole.gateway.start("ingress"))
    expect(page.get_by_role("list").get_by_text("Delivered", exact=True)).to_be_visible(timeout=30_000)
    expect(page.get_by_role("term").filter(has_text="Sender").locator("+ dd")).to_have_text(DID)


def a_text_comes_in(page: Page, whole: Whole) -> None:
    with whole.reading("pbx.main.inbound") as inbox:
        carrier_id = whole.text_in(HANDSET, DID, "Thank you, we are on our way")
        event = whole.first(inbox, lambda message: message.json["provider_msg_id"] == carrier_id, "the text")
    assert (event["route"]["kind"], event["route"]["destination"]) == ("extension", "103")
    assert event["tenant_id"] == "acme"
    open_page(page, "Message history")
    page.get_by_role("row", name="Thank you, we are on our way").get_by_role("link").click()
    heading(page, f"Text from {HANDSET}")
    facts = page.get_by_role("region", name="Record")
    expect(facts).to_contain_text("Extension 103")
    expect(facts.get_by_role("link", name="Desks")).to_be_visible()
    page.get_by_role("link", name="Explain").last.click()
    expect(page.get_by_label("To number (DID)")).to_have_value(DID)


def is_refused_elsewhere(browser: Browser, whole: Whole, rule: str) -> None:
    with looking(browser) as other:
        log_in(other, whole.url, "bob@other.example")
        heading(other, "SMS/MMS")
        for address in ("#/t/acme/inbound", f"#/inbound/{rule}", "#/t/acme/messages", "#/t/acme/explain"):
            other.goto(f"{whole.url}/{address}")
            heading(other, "Not found")
            expect(other.get_by_text("Desks")).to_have_count(0)


@pytest.fixture(scope="module")
def whole(rabbitmq: Any, mongodb: str) -> Any:
    # Without a password for the first administrator its link is printed.
    with Whole.running(rabbitmq, mongodb, CONFIG_FIRST_ADMIN_PASSWORD="") as running:
        yield running


def test_the_way_from_the_first_link_to_texts_that_are_routed(whole, page, browser):
    link = re.search(r"http://\S+/#/set-up/[\w-]+", whole.printed("config", "/#/set-up/"))
    assert link is not None
    set_up(page, link[0])
    page.get_by_role("link", name="Add a tenant").click()
    add_tenant(page, "Acme")
    page.get_by_role("link", name="Switch to Acme").click()
    add_trunk(page)
    webhook = add_draft(page)
    callback = complete(page)
    paste_into_bandwidth(whole, webhook, callback)
    tries_it(page, whole, webhook)
    add_rule(page)
    page.get_by_role("link", name="Desks").click()
    heading(page, "Desks")
    rule = page.url.rpartition("/")[2]
    question = {"tenant_id": "acme", "sender": HANDSET, "did": DID}
    whole.until_known("/explain/inbound", question, lambda answer: bool(answer["route"]["rule_id"]))
    explained(page)
    a_text_goes_out(page, whole)
    a_text_comes_in(page, whole)
    webhooks_were_seen(page, whole)

    page.goto(f"{whole.url}/#/tenants/new")
    add_tenant(page, "Other")
    page.goto(f"{whole.url}/#/t/other/users/new")
    page.get_by_label("User name").fill("bob@other.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Add user").click()
    heading(page, "Users")
    is_refused_elsewhere(browser, whole, rule)

    page.get_by_role("button", name="Log out").click()
    said(page, "Logged out")
    heading(page, "Log in")
    page.goto(f"{whole.url}/#/t/acme/sms")
    heading(page, "Log in")
    with looking(browser) as other:
        other.goto(link[0])
        other.get_by_label("Password").fill(PASSWORD)
        other.get_by_role("button", name="Make administrator").click()
        expect(other.get_by_role("alert")).to_contain_text("This link does not work any more.")
