"""Every page on a laptop, light and dark, and on a phone: no serious accessibility fault, and on request a picture."""

from collections.abc import Iterator
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.portal.conftest import looking
from tests.portal.parked import publish, request, seen, webhook
from tests.portal.sample import EXPLAINED, FAILED, PASSWORD, fill
from tests.portal.served import Served

pytestmark = pytest.mark.e2e

_AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
SIZES = {"laptop": (1366, 768), "phone": (390, 844)}
# A scheme is colours and a size is places, so a dark phone would show nothing new.
SCHEMES: dict[str, tuple[Literal["light", "dark"], ...]] = {"laptop": ("light", "dark"), "phone": ("light",)}

# By the name of the picture: the address, and a heading that tells that the page is there.
PAGES = {
    "sms": ("#/t/acme/sms", "SMS/MMS"),
    "sms-all-tenants": ("#/sms", "SMS/MMS"),
    "sms-edit": ("#/sms/{sms}", "Front desk"),
    "sms-add": ("#/t/acme/sms/new", "Add SMS configuration"),
    "sms-empty": ("#/t/north/sms", "SMS/MMS"),
    "trunks": ("#/trunks", "Trunks & DIDs"),
    "trunk-edit": ("#/trunks/{trunks}", "Acme main"),
    "trunk-lent": ("#/trunks/{lent}", "West Coast"),
    "trunk-borrowed": ("#/t/acme/trunks/{lent}", "West Coast"),
    "inbound": ("#/t/acme/inbound", "Inbound rules"),
    "inbound-edit": ("#/t/acme/inbound/{inbound}", "Dentists, one to one"),
    "inbound-empty": ("#/t/harbor/inbound", "Inbound rules"),
    "outbound": ("#/t/acme/outbound", "Outbound rules"),
    "outbound-edit": ("#/t/acme/outbound/{outbound}", "Reminders wait until the office opens"),
    "extensions": ("#/t/acme/extensions", "Extensions"),
    "extension-edit": ("#/t/acme/extensions/{extensions}", "Extension 101"),
    "routing": ("#/t/acme/routing", "Hours & blocking"),
    "explain": ("#/t/acme/explain?way=outbound&extension=101", "Explain"),
    "messages": ("#/t/acme/messages", "Message history"),
    "message": (f"#/t/acme/messages/{FAILED['id']}", "Text to +13125550102"),
    "messages-choose": ("#/messages", "Message history"),
    "messages-none": ("#/t/acme/messages?status=expired", "Message history"),
    "dead-letters": ("#/dead", "Dead letters"),
    "dead-letter": ("#/dead/m1", "It failed again and again for an unforeseen reason"),
    "unrouted-empty": ("#/t/north/dead?place=unrouted", "Dead letters"),
    "tenants": ("#/tenants", "Tenants"),
    "tenant-edit": ("#/tenants/acme", "Acme Dental"),
    "users": ("#/users", "Users"),
    "user-edit": ("#/users/{users}", "ann@acme.example"),
    "keys": ("#/keys", "API keys"),
    "key-edit": ("#/keys/{keys}", "PortSIP main"),
    "keys-empty": ("#/t/north/keys", "API keys"),
    "audit": ("#/audit", "Audit log"),
    "not-found": ("#/sms/nothing", "Not found"),
}


# Besides every page on a laptop in light.
MORE_PICTURES = (
    "sms-laptop-dark",
    "message-laptop-dark",
    "sms-phone-light",
    "sms-edit-phone-light",
    "inbound-phone-light",
    "inbound-edit-phone-light",
    "outbound-edit-phone-light",
    "routing-phone-light",
    "explained-outbound-phone-light",
    "messages-phone-light",
    "dead-letters-phone-light",
)


class World(NamedTuple):
    served: Served
    ids: dict[str, str]
    cookies: Any


@pytest.fixture(scope="module")
def world(serving: Any, browser: Browser) -> Iterator[World]:
    with serving() as served:
        served.says("store.prepared")
        ids = fill(served)
        publish(served.amqp_url, [request(1), request(2), webhook(), seen(ids["sms"])])
        with looking(browser) as page:
            page.goto(served.url)
            page.get_by_label("User name").fill("admin")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Log in").click()
            expect(page.get_by_role("heading", name="SMS/MMS")).to_be_visible()
            yield World(served, ids, page.context.storage_state())


@pytest.fixture(scope="module", params=SIZES)
def screen(request: pytest.FixtureRequest, browser: Browser, world: World) -> Iterator[tuple[str, Page]]:
    """A page of one size where somebody is logged in, and the size."""
    with looking(browser, storage_state=world.cookies, **_window(request.param)) as page:
        yield request.param, page


def _window(size: str) -> dict[str, Any]:
    width, height = SIZES[size]
    return {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce"}


@pytest.fixture(scope="module")
def picture(pytestconfig: pytest.Config) -> Any:
    directory: Path | None = pytestconfig.getoption("--screenshots", default=None)
    explained = (f"explained-{way}" for way in EXPLAINED)
    wanted = {*(f"{name}-laptop-light" for name in (*PAGES, "log-in", "set-up", *explained)), *MORE_PICTURES}

    def take(page: Page, name: str) -> None:
        if directory is None or name not in wanted:
            return
        directory.mkdir(parents=True, exist_ok=True)
        image = Image.open(BytesIO(page.screenshot(full_page=True)))
        # A palette of 256 colours: nobody sees the difference, and a picture takes a quarter.
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(directory / f"{name}.png", optimize=True)

    return take


def look(page: Page, size: str, picture: Any, name: str) -> None:
    """Look at what is shown in every scheme of a size, take the pictures, and expect no serious fault."""
    page.evaluate(_AXE)
    for scheme in SCHEMES[size]:
        page.emulate_media(color_scheme=scheme)
        picture(page, f"{name}-{size}-{scheme}")
        # Another scheme changes nothing but colours.
        assert faults(page, *(["color-contrast"] if scheme == "dark" else [])) == [], scheme
    page.emulate_media(color_scheme="light")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


def faults(page: Page, *rules: str) -> list[str]:
    """What axe-core finds that is serious or critical, by these of its rules or all: the rule and where."""
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{violation['id']}: {node['html']} {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_serious_fault(screen, world, picture, name):
    size, page = screen
    address, heading = PAGES[name]

    page.goto(f"{world.served.url}/{address.format(**world.ids)}")

    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_focused()
    look(page, size, picture, name)


@pytest.mark.parametrize("way", EXPLAINED)
def test_an_explanation_has_no_serious_fault(screen, world, picture, way):
    size, page = screen
    page.goto(f"{world.served.url}/#/t/acme/explain?way={way}&extension=101&to=+13125550101&did=2025550143&sender=Bank")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("heading", name="It would")).to_be_visible()
    look(page, size, picture, f"explained-{way}")


def test_a_refused_form_with_an_open_list_has_no_serious_fault(screen, world, picture):
    size, page = screen
    page.goto(f"{world.served.url}/#/outbound/{world.ids['outbound']}")
    page.get_by_label("Name").fill(" ")
    page.get_by_role("group", name="Route 2").get_by_label("Caller ID").fill("+18335550141")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Must have 1 to 64 characters")).to_be_visible()
    page.get_by_role("group", name="Route 2").get_by_role("combobox", name="SMS configuration").click()
    expect(page.get_by_role("option", name="Toll-free campaign")).to_be_visible()
    look(page, size, picture, "refused")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "address"), [("log-in", ""), ("set-up", "#/set-up/x")])
def test_a_page_before_log_in_has_no_serious_fault(browser, world, picture, name, address, size):
    with looking(browser, **_window(size)) as page:
        page.goto(f"{world.served.url}/{address}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        look(page, size, picture, name)
