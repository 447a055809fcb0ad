"""How the servers of all services stop, and what they make of taken ports, lost clients and compressed bodies."""

import asyncio
import gzip

import aiohttp
import pytest
from aiohttp import web

from sms_common.http.server import serve


@pytest.mark.loopback
async def test_server_lets_a_running_handler_end_and_takes_no_new_request():
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request):
        arrived.set()
        await go_on.wait()
        return web.Response(text="done")

    app = web.Application()
    app.router.add_get("/", slow)
    async with aiohttp.ClientSession() as client:
        async with serve(app, "127.0.0.1", 0) as port:
            answer = asyncio.ensure_future(client.get(f"http://127.0.0.1:{port}/"))
            await arrived.wait()
            asyncio.get_running_loop().call_later(0.05, go_on.set)
        assert await (await answer).text() == "done"
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.get(f"http://127.0.0.1:{port}/")


@pytest.mark.loopback
async def test_server_gives_a_stuck_handler_its_time_and_no_more():
    arrived = asyncio.Event()

    async def stuck(_request):
        arrived.set()
        await asyncio.Event().wait()

    app = web.Application()
    app.router.add_get("/", stuck)
    async with aiohttp.ClientSession() as client, asyncio.timeout(5):
        async with serve(app, "127.0.0.1", 0, shutdown_timeout=0.1) as port:
            answer = asyncio.ensure_future(client.get(f"http://127.0.0.1:{port}/"))
            await arrived.wait()
        with pytest.raises(aiohttp.ClientError):
            await answer


@pytest.mark.loopback
async def test_handler_goes_on_when_its_client_hangs_up():
    arrived, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(_request):
        arrived.set()
        await go_on.wait()
        ended.set()
        return web.Response()

    app = web.Application()
    app.router.add_get("/", handler)
    async with serve(app, "127.0.0.1", 0) as port, asyncio.timeout(5):
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await arrived.wait()
        writer.close()
        await writer.wait_closed()
        go_on.set()
        await ended.wait()


@pytest.mark.loopback
async def test_compressed_body_is_not_unpacked():
    async def size(request):
        return web.Response(text=str(len(await request.read())))

    packed = gzip.compress(b"x" * 100_000)
    app = web.Application()
    app.router.add_post("/", size)
    async with serve(app, "127.0.0.1", 0) as port, aiohttp.ClientSession() as client:
        headers = {"Content-Encoding": "gzip"}
        async with client.post(f"http://127.0.0.1:{port}/", data=packed, headers=headers) as answer:
            assert await answer.text() == str(len(packed))


@pytest.mark.loopback
async def test_taken_port_is_an_error_and_leaves_nothing_behind():
    async with serve(web.Application(), "127.0.0.1", 0) as port:
        with pytest.raises(OSError, match=str(port)):
            async with serve(web.Application(), "127.0.0.1", port):
                raise AssertionError
