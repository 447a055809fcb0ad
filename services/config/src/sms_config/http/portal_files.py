"""Serves the portal's files: pages, styles and scripts from this package only."""

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable

from aiohttp import hdrs, web

from sms_config.http.requests import etag_matches

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {
    # Everything from this origin and nothing inline, so that injected scripts do not run.
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    # Checked at every use and mostly answered 304, so that a new release is never mixed with an old one.
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}
_INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    content_type: str
    etag: str


def add_portal(app: web.Application) -> None:
    """Add the portal's routes: the page at / and its files under /portal/. All are read now and kept in memory."""
    kept = dict(_read(files("sms_config") / "web", ""))

    async def index(request: web.Request) -> web.Response:
        return _answer(request, kept[_INDEX])

    async def file(request: web.Request) -> web.Response:
        found = kept.get(request.match_info["path"])
        if found is None:
            raise web.HTTPNotFound
        return _answer(request, found)

    app.router.add_get("/", index)
    app.router.add_get("/portal/{path:.+}", file)


def _read(directory: Traversable, prefix: str) -> list[tuple[str, _File]]:
    found: list[tuple[str, _File]] = []
    for entry in directory.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            found += _read(entry, name + "/")
        elif content_type := _TYPES.get(name[name.rfind(".") :]):
            body = entry.read_bytes()
            found.append((name, _File(body, content_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')))
    return found


def _answer(request: web.Request, file: _File) -> web.Response:
    headers = {**_HEADERS, hdrs.ETAG: file.etag}
    if etag_matches(request.headers.get(hdrs.IF_NONE_MATCH), file.etag):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    response = web.Response(body=file.body, content_type=file.content_type, charset="utf-8", headers=headers)
    response.enable_compression()
    return response
