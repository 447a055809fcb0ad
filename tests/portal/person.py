"""What a person does in the portal and looks for there."""

import re

from playwright.sync_api import Page, expect

from tests.portal.sample import PASSWORD


def heading(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", name=words, level=1)).to_be_visible()


def said(page: Page, words: str) -> None:
    """That it says this and nothing more: "Not saved" is not "Saved"."""
    expect(page.get_by_role("status").filter(has_text=re.compile(f"^{re.escape(words)}$"))).to_be_visible()


def log_in(page: Page, url: str, name: str, path: str = "") -> None:
    page.goto(f"{url}/{path}")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Password").press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def pick(page: Page, label: str, typed: str, choice: str) -> None:
    """Find something in a combobox by typing, and choose it."""
    box = page.get_by_role("combobox", name=label, exact=True)
    box.fill(typed)
    page.get_by_role("option", name=choice).click()
    expect(box).to_have_value(choice)


def copied(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def open_page(page: Page, name: str) -> None:
    """Go to a page by the navigation."""
    page.get_by_role("navigation", name="Pages").first.get_by_role("link", name=name).click()
    heading(page, name)
