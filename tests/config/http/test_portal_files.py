"""The portal's files: whole, safe to show, kept by browsers, and calling nobody else."""

import re
from importlib.resources import files

import pytest

from sms_common.errors import Code

pytestmark = pytest.mark.loopback

ROOT = files("sms_config") / "web"


def paths(directory=ROOT, prefix=""):
    for entry in directory.iterdir():
        name = prefix + entry.name
        yield from paths(entry, name + "/") if entry.is_dir() else [name]


FILES = sorted(paths())


async def test_the_page_is_served_with_a_strict_policy(anyone):
    answer = await anyone.get("/")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    expected = {"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
    assert {name: answer.headers[name] for name in expected} == expected


@pytest.mark.parametrize("name", FILES)
async def test_a_file_is_served_once_and_then_known(anyone, name):
    first = await anyone.get(f"/portal/{name}")
    again = await anyone.get(f"/portal/{name}", headers={"If-None-Match": first.headers["ETag"]})

    kinds = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    assert first.status == 200
    assert first.headers["Content-Type"] == f"{kinds[name.rpartition('.')[2]]}; charset=utf-8"
    assert first.text == (ROOT / name).read_text()
    assert first.headers["Cache-Control"] == "no-cache"
    assert (again.status, again.text) == (304, "")
    assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path", ["nothing.js", "../settings.py", "%2e%2e/settings.py", "pages", "pages/", "..%2fsettings.py"]
)
async def test_nothing_else_is_served(anyone, path):
    assert (await anyone.get(f"/portal/{path}")).status == 404


async def test_files_are_compressed_for_who_takes_that(anyone):
    answer = await anyone.get("/portal/main.js", headers={"Accept-Encoding": "gzip"})

    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("name", FILES)
def test_a_file_names_no_other_host_and_parses_no_html(name):
    text = (ROOT / name).read_text()

    assert set(re.findall(r"https?://[^\s\"'`)]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|<style|style=", text)
    assert not re.search(r"<script(?![^>]*src=)|\son[a-z]+=\"", text)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_every_module_that_is_imported_is_there(name):
    for found in re.findall(r'from "(\.[^"]+)"', (ROOT / name).read_text()):
        folder = name.rpartition("/")[0]
        wanted = "/".join([*(part for part in (folder, found.removeprefix("./")) if part)])
        wanted = re.sub(r"(^|/)[^/]+/\.\./", r"\1", wanted)
        assert wanted in FILES


# What a person meets in the log of a service, and never as what became of a message or a webhook.
UNSEEN = {
    Code.UNKNOWN_WEBHOOK,
    Code.WEBHOOK_UNAUTHORIZED,
    Code.BODY_TOO_LARGE,
    Code.BROKER_UNAVAILABLE,
    Code.STORE_UNAVAILABLE,
    Code.CONFIG_UNAVAILABLE,
}


@pytest.mark.parametrize("code", sorted(set(Code) - UNSEEN))
def test_every_code_is_said_in_plain_words(code):
    said = dict(re.findall(r'^  (\w+): "(.+)",$', (ROOT / "codes.js").read_text(), re.MULTILINE))
    assert said.get(code, "").endswith(".")
