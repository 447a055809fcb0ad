"""Files of `smsgw config`, and the API beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from sms_common.configuration import DispatcherSnapshot
from sms_config.http.app import DISPATCHER_SNAPSHOT
from tests.cli.world import Command, Ended
from tests.config.world import BOOTSTRAP, DISPATCHER

ACME: dict[str, Any] = {
    "version": 1,
    "tenants": [
        {"id": "acme", "name": "Acme", "country": "us", "time_zone": "America/New_York", "default_config": "Main"}
    ],
    "trunks": [
        {
            "tenant": "acme",
            "name": "BW",
            "brand": "Bandwidth",
            "dids": "(201) 555-0100 - 201 555 0149",
            "default_did": "2015550100",
        }
    ],
    "sms": [
        {
            "tenant": "acme",
            "name": "Main",
            "trunk": "BW",
            "sender_id": "201-555-0101",
            "failure_policy": "resend",
            "credentials": {
                "account_id_env": "ACME_ACCOUNT",
                "application_id_env": "ACME_APPLICATION",
                "api_token_env": "ACME_TOKEN",
                "api_secret_env": "ACME_SECRET",
            },
            "callback": {"username": "carrier", "password_env": "ACME_CALLBACK"},
        },
        {"tenant": "acme", "name": "Second", "trunk": "BW", "enabled": False},
    ],
}


SECRETS = {
    "ACME_ACCOUNT": "account-of-acme",
    "ACME_APPLICATION": "application-of-acme",
    "ACME_TOKEN": "token-of-acme",
    "ACME_SECRET": "secret-of-acme",
    "ACME_CALLBACK": "callback-of-acme",
}


class Api:
    """The API as another administrator uses it."""

    def __init__(self, base: str) -> None:
        self._base = base

    async def __call__(self, method: str, path: str, body: object = None) -> Any:
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {BOOTSTRAP}"}) as http,
            http.request(method, f"{self._base}/api/v1{path}", json=body) as answer,
        ):
            assert answer.ok, await answer.text()
            return await answer.json() if answer.content_type == "application/json" else None

    async def snapshot(self) -> DispatcherSnapshot:
        """What the dispatcher would work with."""
        headers = {"Authorization": f"Bearer {DISPATCHER}"}
        async with aiohttp.ClientSession(headers=headers) as http, http.get(self._base + DISPATCHER_SNAPSHOT) as answer:
            return DispatcherSnapshot.model_validate_json(await answer.read())


def changed(**sections: Any) -> dict[str, Any]:
    return {**ACME, **sections}


def written(content: Mapping[str, Any]) -> str:
    Path("in.yaml").write_text(yaml.safe_dump(dict(content)))
    return "in.yaml"


def line_of(text: str) -> int:
    """The line of the file that was written on which an entry with this text begins: YAML sorts its fields."""
    lines = Path("in.yaml").read_text().splitlines()
    place = next(place for place, line in enumerate(lines) if text in line)
    return next(number for number in range(place, -1, -1) if lines[number].startswith("- ")) + 1


def text_of(name: str) -> str:
    return Path(name).read_text()


def files(name: str) -> list[Path]:
    return list(Path().glob(name))


def read(name: str) -> Any:
    return yaml.safe_load(Path(name).read_text())


async def put(command: Command, content: Mapping[str, Any], *arguments: str, env: Mapping[str, str] = SECRETS) -> Ended:
    return await command("config", "import", written(content), "--yes", *arguments, env=env)


async def exported(command: Command, *arguments: str) -> Any:
    ended = await command("config", "export", *arguments)
    assert ended.status == 0, ended.err
    return yaml.safe_load(ended.out)
