"""The cheapest carrier there can be: it answers 202 to every message and tells when they came.

python -m benchmarks.bare_carrier PORT
"""

import asyncio
import gc
import sys
import time

import orjson
import uvloop
from aiohttp import web

_TOKEN = b'{"access_token":"t","token_type":"Bearer","expires_in":3600}'


class Carrier:
    """Counts what comes; once told to, it keeps of each message when it came, its id and what was asked."""

    def __init__(self) -> None:
        self._moments: list[float] = []
        self._kept: list[tuple[float, str, bytes]] | None = None

    async def accept(self, request: web.Request) -> web.Response:
        """POST of anything is a message, but for the token endpoint."""
        body = await request.read()
        if request.path.endswith("/token"):
            return web.Response(body=_TOKEN, content_type="application/json")
        now = time.monotonic()
        self._moments.append(now)
        identifier = f"m{len(self._moments)}"
        if self._kept is not None:
            self._kept.append((now, identifier, body))
        answer = b'{"id":"%s","segmentCount":1}' % identifier.encode()
        return web.Response(status=202, body=answer, content_type="application/json")

    async def seen(self, _: web.Request) -> web.Response:
        """GET /seen: how many, and the moments (monotonic, seconds) of the first and the last."""
        first, last = (self._moments[0], self._moments[-1]) if self._moments else (0.0, 0.0)
        return web.json_response({"count": len(self._moments), "first": first, "last": last})

    async def moments(self, _: web.Request) -> web.Response:
        """GET /moments: when each came, in their order."""
        return web.Response(body=orjson.dumps(self._moments), content_type="application/json")

    async def keep(self, _: web.Request) -> web.Response:
        """PUT /kept: begin to keep messages."""
        self._kept = []
        return web.Response(status=204)

    async def kept(self, _: web.Request) -> web.Response:
        """GET /kept: [moment, id, request] of each."""
        kept = [(moment, identifier, orjson.loads(body)) for moment, identifier, body in self._kept or ()]
        return web.Response(body=orjson.dumps(kept), content_type="application/json")


async def main(port: int) -> None:
    carrier = Carrier()
    app = web.Application()
    app.router.add_get("/seen", carrier.seen)
    app.router.add_get("/moments", carrier.moments)
    app.router.add_put("/kept", carrier.keep)
    app.router.add_get("/kept", carrier.kept)
    app.router.add_post("/{path:.*}", carrier.accept)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    gc.disable()  # or its pauses, the longer the more is kept, would count as those of what is measured
    uvloop.run(main(int(sys.argv[1])))
