"""Debian's Chromium, driven by Playwright: it stays on this machine and forgets everything."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from sms_native.machine.debian import install
from sms_native.settings import NativeSettings

PLAIN_HTTP = "portal.test"
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    # Anything but this machine has no address. A name that is not localhost makes a page that came over plain http.
    f"--host-resolver-rules=MAP {PLAIN_HTTP} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


@contextmanager
def chromium(settings: NativeSettings) -> Iterator[Browser]:
    """A running browser without a profile; it is installed first where that is allowed."""
    if shutil.which("chromium") is None:
        install("chromium", "The portal's tests need it.", allowed=settings.may_install)
    path = shutil.which("chromium")
    assert path is not None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()
