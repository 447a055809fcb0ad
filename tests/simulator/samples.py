"""Bandwidth's documented bodies, as the tests read them."""

import re
from pathlib import Path
from typing import Any

import orjson

from tests.simulator.conftest import Api

DATA = Path(__file__).parents[1] / "data"
SAMPLES = DATA / "http"
ID = re.compile(r"\d{13}[a-z2-7]{16}")


def sample(name: str) -> Any:
    document = orjson.loads((SAMPLES / f"{name}.json").read_bytes())
    return document["request"], document["response"]


async def post_sample(api: Api, request: Any, **options: Any) -> Any:
    headers = {"Content-Type": "application/json", **request.get("headers", {})}
    return await api.call("POST", request["path"], data=orjson.dumps(request["body"]), headers=headers, **options)
