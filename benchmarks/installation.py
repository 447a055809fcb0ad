"""A made-up installation: tenants with one trunk of 10,000 numbers and one SMS configuration each.

The benchmark serves its snapshots itself, since the config service is not what is measured.
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import orjson
from aiohttp import web

CALLBACK_USER, CALLBACK_PASSWORD = "bandwidth", "benchmark-callback"
_AUTHORIZATION = "Basic " + base64.b64encode(f"{CALLBACK_USER}:{CALLBACK_PASSWORD}".encode()).decode()
SENDERS = 1000
"""Numbers in use of each configuration: a PBX has many, and order is kept for each."""


@dataclass(frozen=True, slots=True)
class Installation:
    """So many tenants, `t0` to `t<n-1>`, each with the configuration `c<n>`."""

    configs: int

    def dispatcher_snapshot(self) -> bytes:
        """What the config service would give the dispatcher."""
        numbers = range(self.configs)
        return orjson.dumps(
            {
                "version": "1",
                "tenants": [{"id": f"t{n}", "name": f"Tenant {n}", "country": "US"} for n in numbers],
                "pools": [{"tenant_id": f"t{n}", "trunk_id": f"k{n}", "numbers": _pool(n)} for n in numbers],
                "configs": [_config(n) for n in numbers],
            }
        )

    def ingress_snapshot(self) -> bytes:
        """What the config service would give ingress."""
        return orjson.dumps({"version": "1", "endpoints": [_endpoint(n) for n in range(self.configs)]})

    def request(self, number: int, configs: int | None = None) -> tuple[str, bytes]:
        """Routing key and body of the outbound request of this number, spread evenly over the first `configs`."""
        config = number % (configs or self.configs)
        turn = number // (configs or self.configs)
        body = {
            "message_id": f"bench-{number:08d}-0000-4000-8000-000000000000",
            "tenant_id": f"t{config}",
            "extension": "101",
            "from": did(config, turn % SENDERS),
            "to": f"+1312{200 + number % 700}{number // 700 % 10_000:04d}",
            "text": f"{number} " + "hello " * 16,
        }
        return f"sms.outbound.t{config}", orjson.dumps(body)

    def requests(self, count: int, configs: int | None = None) -> Iterator[tuple[str, bytes]]:
        """The first `count` requests."""
        return (self.request(number, configs) for number in range(count))


def did(config: int, turn: int) -> str:
    """A number of a configuration's trunk."""
    return f"+1{201 + config // 700}{200 + config % 700}{turn:04d}"


def number_of(text: str) -> int:
    """The number of the message whose text this is."""
    return int(text.partition(" ")[0])


def webhook_path(config: int) -> str:
    """Where the carrier posts for a configuration."""
    return f"/webhooks/bandwidth/{_token(config)}"


def webhook_headers() -> dict[str, str]:
    """What the carrier presents there."""
    return {"Authorization": _AUTHORIZATION}


def text_in(number: int, config: int = 0) -> bytes:
    """The webhook of one inbound text."""
    to = did(config, number % SENDERS)
    message = {
        "id": f"in{number:08d}hw2fuqty55yp2b2",
        "owner": to,
        "applicationId": "93de2206-9669-4e07-948d-329f4b722ee2",
        "time": "2026-11-24T13:00:00.000Z",
        "segmentCount": 1,
        "direction": "in",
        "to": [to],
        "from": "+13125550100",
        "text": f"{number} Hello, this is a test message",
    }
    return _webhook("message-received", to, message)


def receipt(identifier: str, request: dict[str, object]) -> bytes:
    """The webhook that says that a message was delivered: its id at the carrier, and what was asked of the carrier."""
    to = request["to"]
    assert isinstance(to, list)
    message = {
        "id": identifier,
        "owner": request["from"],
        "applicationId": request["applicationId"],
        "time": "2026-11-24T13:00:00.000Z",
        "segmentCount": 1,
        "direction": "out",
        "to": to,
        "from": request["from"],
        "text": "",
        "tag": request["tag"],
    }
    return _webhook("message-delivered", to[0], message)


def _webhook(kind: str, to: str, message: dict[str, object]) -> bytes:
    event = {"type": kind, "time": "2026-11-24T13:00:00.123Z", "description": kind, "to": to, "message": message}
    return orjson.dumps([event])


def _pool(config: int) -> str:
    return f"{did(config, 0)}-{did(config, 9_999)}"


def _config(config: int) -> dict[str, object]:
    credentials = {
        "account_id": f"a{config}",
        "application_id": "93de2206-9669-4e07-948d-329f4b722ee2",
        "api_token": f"token{config}",
        "api_secret": f"secret{config}",
    }
    return {
        "id": f"c{config}",
        "tenant_id": f"t{config}",
        "name": "Texts",
        "carrier": "bandwidth",
        "trunk_id": f"k{config}",
        "brand": "Bandwidth",
        "default_did": did(config, 0),
        "credentials": credentials,
    }


def _endpoint(config: int) -> dict[str, object]:
    return {
        "config_id": f"c{config}",
        "tenant_id": f"t{config}",
        "carrier": "bandwidth",
        "tokens": [{"sha256": hashlib.sha256(_token(config).encode()).hexdigest()}],
        "callback": {"username": CALLBACK_USER, "password": CALLBACK_PASSWORD},
    }


def _token(config: int) -> str:
    return hashlib.sha256(f"bench {config}".encode()).hexdigest()


def snapshot_routes(installation: Installation) -> list[web.RouteDef]:
    """The config service's two snapshots."""
    return [
        _route("/internal/v1/snapshot/dispatcher", installation.dispatcher_snapshot()),
        _route("/internal/v1/snapshot/ingress", installation.ingress_snapshot()),
    ]


def _route(path: str, body: bytes) -> web.RouteDef:
    async def give(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304)
        return web.Response(body=body, content_type="application/json", headers={"ETag": '"1"'})

    return web.get(path, give)
