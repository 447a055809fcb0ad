"""JSON answers of the simulator's web server."""

from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web

__all__ = ["Handler", "json_answer"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def json_answer(status: int, document: object) -> web.Response:
    """Return a JSON answer."""
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/json")
