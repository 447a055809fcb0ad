"""Documented webhooks, and what of one is compared."""

from pathlib import Path
from typing import Any

import orjson

SAMPLES = Path(__file__).parents[2] / "data" / "webhooks"


def sample(name: str) -> Any:
    return orjson.loads((SAMPLES / f"{name}.json").read_bytes())


def comparable(body: Any) -> Any:
    """Return the body with ids, times and the ids inside media URLs replaced by their form."""
    if isinstance(body, list):
        return [comparable(event) for event in body]
    message = body["message"]
    times = {name: _form(body[name]) for name in ("time", "eventTime") if name in body}
    media = {"media": [url.rsplit("/", 1)[-1] for url in message["media"]]} if "media" in message else {}
    return {**body, **times, "message": {**message, "id": len(message["id"]), "time": _form(message["time"]), **media}}


def _form(time: str) -> str:
    return "".join("9" if char.isdigit() else char for char in time)
