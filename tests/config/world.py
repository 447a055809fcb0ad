"""Callers, clocks and made-up secrets for the tests of the config service."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from argon2 import PasswordHasher
from multidict import CIMultiDict

from sms_config.access.passwords import Passwords
from sms_config.model.keyring import new_entry
from sms_config.settings import ConfigSettings

BOOTSTRAP = "bootstrap-key-of-these-tests"
INGRESS = "token-of-ingress-in-these-tests"
DISPATCHER = "token-of-dispatcher-in-these-tests"
PASSWORD = "correct horse battery"


def quick_passwords() -> Passwords:
    """Real hashes of the real kind, made with hardly any work."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


PUBLIC = "https://sms.example.com"
# No test speaks to a carrier, wherever it runs.
NOBODY_THERE = {"bandwidth": {"token_url": "http://127.0.0.1:9/token", "messaging_url": "http://127.0.0.1:9/api"}}


@dataclass
class Answer:
    status: int
    headers: CIMultiDict[str]
    text: str
    json: Any

    def field_errors(self) -> dict[str, str]:
        return {error["field"]: error["message"] for error in self.json["errors"]}


class Api:
    """Calls the API with one credential."""

    def __init__(self, client: TestClient[Any, Any], credential: str | None) -> None:
        self._client = client
        self._credential = credential

    def with_credential(self, credential: str | None) -> "Api":
        return Api(self._client, credential)

    def url(self, path: str) -> str:
        """The whole address."""
        return str(self._client.make_url(path))

    async def call(self, method: str, path: str, json: Any = None, **options: Any) -> Answer:
        headers = dict(options.pop("headers", {}))
        if self._credential is not None:
            headers.setdefault("Authorization", f"Bearer {self._credential}")
        if json is not None:
            options["json"] = json
        async with self._client.request(method, path, headers=headers, **options) as response:
            return await _answer(response)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.call("GET", path, **options)

    async def made(self, path: str, json: Any) -> Any:
        """Create something and expect that it works."""
        answer = await self.call("POST", path, json)
        assert answer.status == 201, answer.text
        return answer.json


async def _answer(response: ClientResponse) -> Answer:
    text = await response.text()
    is_json = response.content_type == "application/json" and text
    return Answer(response.status, CIMultiDict(response.headers), text, await response.json() if is_json else None)


@dataclass
class Clock:
    now: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@dataclass
class Woken:
    count: int = 0

    def __call__(self) -> None:
        self.count += 1


@dataclass
class Gate:
    sentence: str | None = None
    asked: int = field(default=0)

    def __call__(self) -> str | None:
        self.asked += 1
        return self.sentence


def make_settings(**values: Any) -> ConfigSettings:
    given: dict[str, Any] = {
        "amqp_url": "amqp://localhost",
        "mongo_url": "mongodb://localhost",
        "public_url": PUBLIC,
        "bootstrap_api_key": BOOTSTRAP,
        "ingress_token": INGRESS,
        "dispatcher_token": DISPATCHER,
        "key_ring": new_entry("k1"),
        "carrier_options": NOBODY_THERE,
    }
    return ConfigSettings(**{**given, **values})


TRUNK = {"name": "Main trunk", "brand": "Bandwidth", "hostname": "sip.bandwidth.com"}
CREDENTIALS = {
    "account_id": "9900123",
    "application_id": "app-0d3a-77aa",
    "api_token": "token-of-acme",
    "api_secret": "secret-of-acme",
}
