"""Whatever is no proper HTTP, on every port of every service: a fixed answer, and none of it in any log."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.processes import KINDS, running

pytestmark = pytest.mark.loopback

CASE = json.loads((Path(__file__).parent / "data/cases/45-cookie-echoed-in-400-and-log.json").read_text())
SECRET = b"SECRETTOKEN"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /api/v1/tenants HTTP/1.1\r\nHost: x\r\n"
WEBHOOK = b"POST /webhooks/bandwidth/abc HTTP/1.1\r\nHost: x\r\n"
LINE = b"SECRETTOKEN " * 3
STRANGE: dict[str, bytes] = {
    "cookie too long": GET + b"Cookie: sms_session=SECRETTOKEN; a=" + b"x" * 8_300 + b"\r\n\r\n",
    "authorization too long": GET + b"Authorization: Bearer SECRETTOKEN" + b"x" * 9_000 + b"\r\n\r\n",
    "name too long": GET + b"SECRETTOKEN" + b"x" * 9_000 + b": 1\r\n\r\n",
    "too many headers": GET + b"".join(b"X-SECRETTOKEN-%d: a\r\n" % n for n in range(300)) + b"\r\n",
    "path too long": b"GET /SECRETTOKEN" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "no http": b"SECRETTOKEN\r\n\r\n",
    "words": LINE + b"\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03SECRETTOKEN",
    "version": b"GET /SECRETTOKEN HTTP/SECRETTOKEN\r\n\r\n",
    "unknown version": b"GET /SECRETTOKEN HTTP/9.9\r\nHost: x\r\n\r\n",
    "method": b"SECRETTOKEN / HTTP/1.1\r\nHost: x\r\n\r\n",
    "method with signs": b"SECRET{TOKEN} / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no colon": GET + b"SECRETTOKEN\r\n\r\n",
    "blank before colon": GET + b"Cookie : SECRETTOKEN\r\n\r\n",
    "name with signs": GET + b"SECRET(TOKEN): x\r\n\r\n",
    "folded": GET + b"A: b\r\n SECRETTOKEN\r\n\r\n",
    "control": GET + b"Cookie: SECRETTOKEN\x01\r\n\r\n",
    "nul": GET + b"Cookie: SECRETTOKEN\x00\r\n\r\n",
    "bare line end": GET + b"Cookie: SECRETTOKEN\rX: y\r\n\r\n",
    "not utf-8": GET + b"Cookie: SECRETTOKEN\xff\xfe\r\n\r\n",
    "two hosts": GET + b"Host: SECRETTOKEN\r\n\r\n",
    "broken host": b"GET / HTTP/1.1\r\nHost: [SECRETTOKEN\r\n\r\n",
    "coding": POST + b"Transfer-Encoding: SECRETTOKEN\r\n\r\n",
    "coding twice": POST + b"Transfer-Encoding: chunked, SECRETTOKEN\r\n\r\n",
    "coding and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 11\r\n\r\nSECRETTOKEN",
    "length": POST + b"Content-Length: SECRETTOKEN\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nSECRETTOKEN",
    "chunk size": POST + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nSECRETTOKEN\r\n",
    "chunk size of a webhook": WEBHOOK + b"Transfer-Encoding: chunked\r\n\r\nSECRETTOKEN\r\n",
    "chunk end": POST
    + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nSECRETTOKEN\r\n0\r\n\r\n",
    "expectation": POST + b"Expect: SECRETTOKEN\r\nContent-Length: 0\r\n\r\n",
    "upgrade": GET + b"Connection: Upgrade\r\nUpgrade: SECRETTOKEN\r\n\r\n",
    "upgrade and rubbish": GET + b"Connection: Upgrade\r\nUpgrade: x\r\n\r\nSECRETTOKEN rubbish\r\n\r\n",
    "address": b"GET http://[SECRETTOKEN/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "address with a port": b"GET http://x:SECRETTOKEN/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "path without slash": b"GET SECRETTOKEN HTTP/1.1\r\nHost: x\r\n\r\n",
    "blank in path": b"GET /SECRET TOKEN/SECRETTOKEN HTTP/1.1\r\nHost: x\r\n\r\n",
    "escape": b"GET /%zzSECRETTOKEN%ff HTTP/1.1\r\nHost: x\r\n\r\n",
    "connect": b"CONNECT SECRETTOKEN:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "cookie with signs": GET + b"Cookie: SECRET,TOKEN@=SECRETTOKEN; =;;\r\n\r\n",
    "content type": POST + b"Content-Type: SECRETTOKEN; ;=\r\nContent-Length: 2\r\n\r\n{}",
    "rubbish behind a request": GET + b"\r\nSECRETTOKEN\r\n\r\n",
    "preface of http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nSECRETTOKEN",
}
# The simulator answers a proper request for a path that is not there as Bandwidth does, which names the path.
_NAMES_PATHS = {"escape", "path without slash", "blank in path", "unknown version", "content type"}


# Some of these leave the server waiting for more; it has then said what it has to say.
SILENCE = 1.0


async def said(port: int, request: bytes) -> bytes:
    """Everything that a server says to these bytes until it closes the connection, or says no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        writer.write(request)
        while piece := await asyncio.wait_for(reader.read(65_536), SILENCE):
            answer += piece
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return answer


async def all_said(ports: tuple[int, ...], requests: dict[str, bytes]) -> dict[tuple[int, str], bytes]:
    """What each port says to each request."""
    asked = [(port, name) for port in ports for name in requests]
    answers = await asyncio.gather(*(said(port, requests[name]) for port, name in asked))
    return dict(zip(asked, answers, strict=True))


@pytest.mark.parametrize("service", KINDS)
async def test_nothing_of_a_request_that_is_no_proper_http_is_echoed_or_logged(service):
    async with running(service) as process:
        answers = await all_said(process.ports, STRANGE)
        log = await process.stop()

    passed = _NAMES_PATHS if service == "simulator" else set()
    assert [name for (_, name), answer in answers.items() if b"SECRET" in answer and name not in passed] == []
    assert "SECRET" not in log
    assert "Traceback" not in log
    assert [line for line in log.splitlines() if '"level":"error"' in line] == []


@pytest.mark.parametrize("service", KINDS)
async def test_a_header_that_is_too_long_is_refused_in_words_that_are_always_the_same(service):
    assert "SECRETTOKEN" in CASE["input"]["curl"]
    async with running(service) as process:
        for port in process.ports:
            answers = {await said(port, STRANGE[name]) for name in ("cookie too long", "authorization too long")}
            assert {answer.split(b" ", 2)[1] for answer in answers} <= {b"400", b"431"}
            assert len({answer.partition(b"\r\n\r\n")[2] for answer in answers}) == 1
