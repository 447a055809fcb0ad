"""What an operator does in the portal: look into dead letters, try a configuration, watch a text being delivered."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from sms_native.machine.ports import LOOPBACK, free_port
from tests.portal.conftest import looking
from tests.portal.parked import publish, request, seen, status, unowned, webhook
from tests.portal.sample import MESSAGES, PASSWORD, fill
from tests.portal.served import Served

pytestmark = pytest.mark.e2e

LAPTOP = {"viewport": {"width": 1366, "height": 800}, "reduced_motion": "reduce"}
UNDER_WAY = next(message for message in MESSAGES.values() if message["status"] == "submitted")


class World(NamedTuple):
    served: Served
    ids: dict[str, str]
    cookies: Any


@pytest.fixture(scope="module")
def world(serving: Any, browser: Browser) -> Iterator[World]:
    nowhere = f"http://{LOOPBACK}:{free_port()}"
    options = f'{{"bandwidth": {{"token_url": "{nowhere}/token"}}}}'
    with serving(PUBLIC_URL=nowhere, CARRIER_OPTIONS=options) as served:
        served.says("store.prepared")
        ids = fill(served)
        with looking(browser) as page:
            page.goto(served.url)
            page.get_by_label("User name").fill("admin")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Log in").click()
            expect(page.get_by_role("heading", name="SMS/MMS")).to_be_visible()
            yield World(served, ids, page.context.storage_state())


@pytest.fixture
def page(browser: Browser, world: World) -> Iterator[Page]:
    with looking(browser, storage_state=world.cookies, **LAPTOP) as found:
        yield found


def heading(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", name=words, level=1)).to_be_visible()


def said(page: Page, words: str) -> None:
    expect(page.get_by_role("status").filter(has_text=words)).to_be_visible()


def test_dead_letters_are_looked_at_replayed_and_discarded(page, world):
    publish(world.served.amqp_url, [*map(request, range(3)), webhook()])
    page.goto(f"{world.served.url}/#/dead")
    heading(page, "Dead letters")
    rows = page.get_by_role("row")
    expect(rows).to_have_count(5)
    expect(page.get_by_text("5550107")).to_have_count(0)
    expect(page.get_by_role("button", name="Replay")).to_be_disabled()

    page.get_by_label("Choose m0").check()
    page.get_by_role("button", name="Discard…").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    said(page, "1 message discarded.")
    expect(rows).to_have_count(4)

    page.get_by_label("All on this page").check()
    expect(page.get_by_text("3 chosen")).to_be_visible()
    page.get_by_role("button", name="Replay").click()
    page.get_by_role("dialog").get_by_role("button", name="Replay").click()
    expect(page.get_by_text("The SMS configuration whose webhook it came through is gone.")).to_be_visible()
    page.get_by_role("button", name="Understood").click()
    said(page, "2 messages replayed.")
    expect(rows).to_have_count(2)

    page.get_by_role("row").filter(has_text="webhook_unreadable").get_by_role("link").click()
    heading(page, "A webhook could not be understood")
    page.get_by_role("button", name="Discard…").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(page.get_by_role("heading", name="No dead letter")).to_be_visible()

    page.goto(f"{world.served.url}/#/audit?kind=dead_letters")
    expect(page.get_by_role("row").filter(has_text="Replayed")).to_have_count(2)
    expect(page.get_by_role("row").filter(has_text="Discarded")).to_have_count(2)


def test_an_unrouted_text_is_shown_whole_on_request_and_given_to_a_tenant(page, world):
    publish(world.served.amqp_url, [unowned()])
    page.goto(f"{world.served.url}/#/dead")
    page.get_by_role("tab", name="Unrouted").click()
    page.get_by_role("row").filter(has_text="unrouted_did").get_by_role("link").click()
    heading(page, "Nobody owns the number")
    expect(page.get_by_label("Body")).to_contain_text('"content": "***"')
    page.get_by_role("button", name="Show all…").click()
    page.get_by_role("dialog").get_by_role("button", name="Show it").click()
    expect(page.get_by_label("Body")).not_to_contain_text("***")

    page.get_by_role("combobox", name="Tenant", exact=True).fill("Acme")
    page.get_by_role("option", name="Acme Dental").click()
    page.get_by_role("button", name="Give it to the tenant").click()
    said(page, "1 message replayed.")
    # No dispatcher runs here: it waits in the queue that one reads.
    expect(page.get_by_role("heading", name="Nothing unrouted")).to_be_visible()


def test_a_configuration_is_tried_and_says_how_it_does(page, world):
    config = world.ids["sms"]
    page.goto(f"{world.served.url}/#/t/acme/sms")
    row = page.get_by_role("row").filter(has_text="Front desk")
    expect(row).to_contain_text("Never seen")
    publish(world.served.amqp_url, [seen(config), seen(config, "unauthorized", 401, 1)])
    health = f"sms-health?ids={config}"
    world.served.until(
        health, lambda found: bool(found["items"][0]["last_refused"] and found["items"][0]["last_webhook"])
    )
    page.goto(f"{world.served.url}/#/t/acme/sms/{config}")
    expect(page.get_by_text("make the callback credentials the same here and there")).to_be_visible()
    expect(page.get_by_text("message-delivered, answered 200, from 203.0.113.7")).to_be_visible()

    page.get_by_role("button", name="Test webhook").click()
    result = page.get_by_role("status", name="What the test found")
    expect(result).to_contain_text("takes no connection")
    said(page, "Test webhook: something is wrong")
    page.get_by_label("API Secret").fill("typed-and-not-saved")
    page.get_by_role("button", name="Test credentials").click()
    expect(result).to_contain_text("cannot be reached from here")
    expect(result.get_by_role("listitem")).to_have_count(2)

    page.goto(f"{world.served.url}/#/t/acme/sms")
    page.get_by_role("button", name="Leave without saving").click()
    expect(row).to_contain_text("Failing")


def test_a_text_turns_delivered_without_reloading(page, world):
    before = dict(UNDER_WAY)
    page.goto(f"{world.served.url}/#/t/acme/messages/{UNDER_WAY['id']}")
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    expect(page.get_by_text("Delivered", exact=True)).to_have_count(0)
    try:
        step = {"status": "delivered", "at": before["time"], "sequence": 3}
        UNDER_WAY.update(status="delivered", final=True, history=[*before["history"], step])
        publish(world.served.amqp_url, [status(UNDER_WAY["id"])])
        expect(page.get_by_text("Delivered", exact=True).first).to_be_visible()
        said(page, "Status: Delivered")
    finally:
        UNDER_WAY.update(before)


def test_the_list_of_messages_turns_too(page, world):
    before = dict(UNDER_WAY)
    page.goto(f"{world.served.url}/#/t/acme/messages")
    row = page.get_by_role("row").filter(has_text=UNDER_WAY["content"])
    expect(row).to_contain_text("Submitted")
    row.get_by_role("link").focus()
    try:
        UNDER_WAY.update(status="failed", final=True)
        publish(world.served.amqp_url, [status(UNDER_WAY["id"])])
        expect(row).to_contain_text("Failed")
        expect(row.get_by_role("link")).to_be_focused()
    finally:
        UNDER_WAY.update(before)
