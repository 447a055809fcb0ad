"""Every page, light and dark, on a laptop and on a phone: no serious accessibility fault, and on request a picture."""

from collections.abc import Iterator
from importlib.resources import files
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.portal.conftest import looking
from tests.portal.sample import FAILED, PASSWORD, fill
from tests.portal.served import Served

pytestmark = pytest.mark.e2e

_AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
SCHEMES = ("light", "dark")
SIZES = {"laptop": (1280, 800), "phone": (390, 844)}

# By the name of the picture: the address, and a heading that tells that the page is there.
PAGES = {
    "sms": ("#/t/acme/sms", "SMS/MMS"),
    "sms-all-tenants": ("#/sms", "SMS/MMS"),
    "sms-edit": ("#/sms/{sms}", "Front desk"),
    "sms-add": ("#/t/acme/sms/new", "Add SMS configuration"),
    "sms-empty": ("#/t/north/sms", "SMS/MMS"),
    "trunks": ("#/trunks", "Trunks & DIDs"),
    "trunk-edit": ("#/trunks/{trunks}", "Acme main"),
    "messages": ("#/t/acme/messages", "Message history"),
    "message": (f"#/t/acme/messages/{FAILED['id']}", "Text to +13125550102"),
    "messages-choose": ("#/messages", "Message history"),
    "messages-none": ("#/t/acme/messages?status=expired", "Message history"),
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
    "sms-edit-phone-dark",
    "messages-phone-light",
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
        with looking(browser) as page:
            page.goto(served.url)
            page.get_by_label("User name").fill("admin")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Log in").click()
            expect(page.get_by_role("heading", name="SMS/MMS")).to_be_visible()
            yield World(served, ids, page.context.storage_state())


@pytest.fixture(scope="module", params=list(product(SIZES, SCHEMES)), ids="-".join)
def screen(request: pytest.FixtureRequest, browser: Browser, world: World) -> Iterator[tuple[str, Page]]:
    """A page of one size and one scheme where somebody is logged in, and its name."""
    size, scheme = request.param
    width, height = SIZES[size]
    options = {"viewport": {"width": width, "height": height}, "color_scheme": scheme, "reduced_motion": "reduce"}
    with looking(browser, storage_state=world.cookies, **options) as page:
        yield f"{size}-{scheme}", page


@pytest.fixture
def picture(pytestconfig: pytest.Config) -> Any:
    directory: Path | None = pytestconfig.getoption("--screenshots", default=None)
    wanted = {*(f"{name}-laptop-light" for name in (*PAGES, "log-in", "set-up")), *MORE_PICTURES}

    def take(page: Page, name: str) -> None:
        if directory is None or name not in wanted:
            return
        directory.mkdir(parents=True, exist_ok=True)
        image = Image.open(BytesIO(page.screenshot(full_page=True)))
        # A palette of 256 colours: nobody sees the difference, and a picture takes a quarter.
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(directory / f"{name}.png", optimize=True)

    return take


def faults(page: Page) -> list[str]:
    """What axe-core finds that is serious or critical: the rule and where."""
    page.evaluate(_AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {node['html']} {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_serious_fault(screen, world, picture, name):
    variant, page = screen
    address, heading = PAGES[name]

    page.goto(f"{world.served.url}/{address.format(**world.ids)}")

    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_focused()
    picture(page, f"{name}-{variant}")
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


@pytest.mark.parametrize(("size", "scheme"), list(product(SIZES, SCHEMES)))
@pytest.mark.parametrize(("name", "address"), [("log-in", ""), ("set-up", "#/set-up/x")])
def test_a_page_before_log_in_has_no_serious_fault(browser, world, picture, name, address, size, scheme):
    width, height = SIZES[size]
    with looking(browser, viewport={"width": width, "height": height}, color_scheme=scheme) as page:
        page.goto(f"{world.served.url}/{address}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        picture(page, f"{name}-{size}-{scheme}")
        assert faults(page) == []
