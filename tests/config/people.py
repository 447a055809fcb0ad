"""A browser with its cookie jar and its CSRF token, for the tests of people and sessions."""

from collections.abc import Mapping
from typing import Any

from multidict import CIMultiDict

from tests.config.world import PASSWORD, Answer, Api

SESSION = "/api/v1/session"
USERS = "/api/v1/users"
COOKIE = "sms_session"
DEVICE = "sms_device"


class Browser:
    """Calls the API as the portal does. It keeps the cookie of its session, and the one by which it is known later."""

    def __init__(self, api: Api) -> None:
        self._anyone = api.with_credential(None)
        self.cookie: str | None = None
        self.device: str | None = None
        self.csrf = ""

    async def call(self, method: str, path: str, json: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        given = CIMultiDict(headers or {})
        kept = {COOKIE: self.cookie, DEVICE: self.device}
        if cookies := "; ".join(f"{cookie}={value}" for cookie, value in kept.items() if value is not None):
            given.setdefault("Cookie", cookies)
        if self.csrf and method != "GET":
            given.setdefault("X-CSRF-Token", self.csrf)
        return await self._anyone.call(method, path, json, headers=given)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.call("GET", path, headers=headers)

    async def log_in(self, name: str, password: str = PASSWORD) -> Answer:
        answer = await self.call("POST", SESSION, {"username": name, "password": password})
        if answer.status == 201:
            self.take(answer)
        return answer

    def take(self, answer: Answer) -> None:
        """Keep what the answer gives."""
        given = dict(line.split(";")[0].split("=", 1) for line in answer.headers.getall("Set-Cookie"))
        self.cookie, self.device = given[COOKIE], given.get(DEVICE, self.device)
        self.csrf = answer.json["csrf_token"]


def system_admin(name: str, **values: Any) -> dict[str, Any]:
    return {"name": name, "role": "system_admin", "password": PASSWORD, **values}


def tenant_admin(name: str, tenant_id: str, **values: Any) -> dict[str, Any]:
    return {"name": name, "role": "tenant_admin", "tenant_id": tenant_id, "password": PASSWORD, **values}


async def guess(api, times: int, headers: dict[str, str], name: str = "boss") -> set[int]:
    statuses = set()
    for number in range(times):
        body = {"username": name.format(number), "password": f"wrong {number}"}
        statuses.add((await api.with_credential(None).call("POST", SESSION, body, headers=headers)).status)
    return statuses


async def log_in(api, headers: dict[str, str], password: str = PASSWORD) -> int:
    body = {"username": "boss", "password": password}
    return int((await api.with_credential(None).call("POST", SESSION, body, headers=headers)).status)
