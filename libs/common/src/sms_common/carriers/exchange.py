"""One HTTP exchange with a carrier. When it fails, the caller learns whether the request left."""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import yarl
from aiohttp.abc import AbstractStreamWriter

# Far more than a carrier's answer to a send. A longer body comes from somebody else and is not read to its end.
MAX_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of an answer. `body` is empty if it was too long or the connection broke."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswerError(Exception):
    """No answer came. `left` is False if certainly not one byte of the request was sent.

    `cause` names the kind of failure. The original exception is not kept: its text may contain the request's headers.
    """

    def __init__(self, error: Exception, *, left: bool) -> None:
        super().__init__(type(error).__name__)
        self.cause = type(error).__name__
        self.left = left
        self.on_dead_connection = not left and not isinstance(error, aiohttp.ClientConnectorError | TimeoutError)


class _Body(aiohttp.BytesPayload):
    """A request body that remembers whether it was handed to an open connection.

    aiohttp writes the headers together with the first bytes of the body, so the request leaves at this moment. If the
    other side has closed a kept-alive connection meanwhile, it is noticed here, before anything is written.
    """

    left = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        transport = writer.transport
        self.left = transport is not None and not transport.is_closing()
        await super().write_with_length(writer, content_length)


async def post(
    session: aiohttp.ClientSession,
    url: yarl.URL,
    headers: Mapping[str, str],
    body: bytes,
    limits: aiohttp.ClientTimeout,
) -> Answer:
    """POST `body`, follow no redirect, and return the answer. Raises NoAnswerError for any network failure.

    If a kept-alive connection is found closed before anything is written, a new one is tried, once.
    """
    try:
        return await _exchange(session, url, headers, body, limits)
    except NoAnswerError as error:
        if not error.on_dead_connection:
            raise
    return await _exchange(session, url, headers, body, limits)


async def get(
    session: aiohttp.ClientSession, url: yarl.URL, headers: Mapping[str, str], limits: aiohttp.ClientTimeout
) -> Answer:
    """GET, follow no redirect, and return the answer. Raises NoAnswerError, after which a GET may
    always be repeated.
    """
    try:
        async with session.get(url, headers=headers, timeout=limits, allow_redirects=False) as response:
            return Answer(response.status, response.headers, await _read(response))
    except (aiohttp.ClientError, OSError) as error:
        failure = NoAnswerError(error, left=True)
    raise failure


async def _exchange(
    session: aiohttp.ClientSession,
    url: yarl.URL,
    headers: Mapping[str, str],
    body: bytes,
    limits: aiohttp.ClientTimeout,
) -> Answer:
    payload = _Body(body)
    try:
        async with session.post(url, data=payload, headers=headers, timeout=limits, allow_redirects=False) as response:
            return Answer(response.status, response.headers, await _read(response))
    except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
        failure = NoAnswerError(error, left=payload.left)
    raise failure


async def _read(response: aiohttp.ClientResponse) -> bytes:
    read = bytearray()
    try:
        async for chunk in response.content.iter_any():
            read += chunk
            if len(read) > MAX_ANSWER_BYTES:
                return b""
    except (aiohttp.ClientError, OSError):
        return b""
    return bytes(read)
