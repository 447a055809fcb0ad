"""Calls to the gateway's HTTP APIs, in JSON; an error of the API becomes a Failure with its message."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from smsgw.terminal.running import Failure

JsonObject = dict[str, Any]
_PAGE = 100
_NOT_FOUND = 404
_REFUSED = 400


class ApiRefusal(Failure):
    """An answer of 400 and above. `errors` are the API's [{field, message}]."""

    def __init__(self, status: int, code: str, message: str, errors: list[JsonObject]) -> None:
        details = "".join(f"\n  {error.get('field') or 'request'}: {error.get('message')}" for error in errors)
        super().__init__(f"{message}{details}")
        self.status = status
        self.code = code
        self.errors = errors

    @property
    def not_found(self) -> bool:
        """Whether the object, or the address, does not exist."""
        return self.status == _NOT_FOUND


class ServiceApi:
    """One service's API. `name` is the service's name in error messages."""

    def __init__(self, http: aiohttp.ClientSession, base: str, token: SecretStr | None, name: str) -> None:
        self._http = http
        self._base = base
        self._token = token
        self._name = name

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        parameters: Mapping[str, str] | None = None,
        version: int | None = None,
    ) -> Any:
        """Return the decoded answer, None for an empty one. `version` is the version that the caller wants to change.

        Raises ApiRefusal, or Failure if the service cannot be reached or its answer cannot be read.
        """
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"} if self._token else {}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        url = self._base + path
        try:
            # A redirect would carry the credential elsewhere.
            async with self._http.request(
                method, url, json=body, params=parameters, headers=headers, allow_redirects=False
            ) as answer:
                content = await answer.read()
                status, decoded = answer.status, await _decoded(answer, content)
        except (aiohttp.ClientError, OSError) as error:  # a time-out is an OSError
            raise Failure(f"The {self._name} at {self._base} cannot be reached ({_why(error)}).") from error
        if status >= _REFUSED or (decoded is None and content):
            raise _refusal(status, decoded, self._name)
        return decoded

    async def every(self, path: str, **parameters: str) -> list[JsonObject]:
        """Return all objects of a list, page by page, the oldest first. Raises the same errors as `call`."""
        found: list[JsonObject] = []
        while True:
            page = await self.call(
                "GET",
                path,
                parameters={"orderby": "created_at", **parameters, "skip": str(len(found)), "top": str(_PAGE)},
            )
            found += page["items"]
            if len(found) >= page["count"] or not page["items"]:
                return found


@asynccontextmanager
async def session(timeout: float, ca_file: Path | None) -> AsyncIterator[aiohttp.ClientSession]:  # noqa: ASYNC109  # of each request, in seconds
    """Open an HTTP client. Raises Failure when the certificates cannot be read."""
    connector = aiohttp.TCPConnector(ssl=trust(ca_file))
    limits = aiohttp.ClientTimeout(total=timeout)
    async with aiohttp.ClientSession(connector=connector, timeout=limits) as http:
        yield http


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Return the authorities to trust: the system's, or those in `ca_file`. Raises Failure."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise Failure(f"The certificates in {ca_file} cannot be read ({type(error).__name__}).") from error


async def _decoded(answer: aiohttp.ClientResponse, content: bytes) -> Any:
    return await answer.json() if content and answer.content_type == "application/json" else None


def _refusal(status: int, decoded: Any, name: str) -> ApiRefusal:
    if not isinstance(decoded, dict):
        return ApiRefusal(
            status, "", f"The {name} answered {status}, and not as that service does; check its address.", []
        )
    errors = decoded.get("errors")
    message = str(decoded.get("message") or f"The {name} answered {status}.")
    return ApiRefusal(status, str(decoded.get("code", "")), message, errors if isinstance(errors, list) else [])


def _why(error: Exception) -> str:
    return str(error.strerror or type(error).__name__) if isinstance(error, OSError) else type(error).__name__
