"""A gateway as version 0.1.0 left it: tests/data/former holds its databases, its queues and its .env."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel
from bson import json_util
from pymongo import MongoClient

from sms_common.broker_rights import Rights
from sms_native.engines.management import EVERYTHING
from sms_native.gateway.environment import parse
from tests.e2e.customer import Customer
from tests.e2e.gateway import Gateway

DIRECTORY = Path(__file__).parents[1] / "data" / "former"
KNOWN: dict[str, Any] = json.loads((DIRECTORY / "known.json").read_text())
_BROKER: dict[str, Any] = json.loads((DIRECTORY / "broker.json").read_text())
_STOOD_STILL = timedelta(seconds=15)
"""How long it was down, as it seems to today's services."""
_MOMENT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
_RESTS_MS = 4_000
"""What is left to a message in the queue of 30 s; the one of 1 s has less anyway."""


def environment() -> dict[str, str]:
    """What the former .env says."""
    return parse((DIRECTORY / "former.env").read_text())


def id_of(name: str) -> str:
    """The message_id of the text that tests/data/former/known.json calls so."""
    return str(KNOWN["message_ids"][name])


@dataclass(frozen=True)
class Left:
    """One message in one queue of the former gateway."""

    queue: str
    exchange: str
    routing_key: str
    properties: Mapping[str, Any]
    body: str

    @property
    def event_id(self) -> str:
        return str(json.loads(self.body)["event_id"])


def left(*queues: str) -> list[Left]:
    """The messages in these queues, by default in all."""
    wanted = queues or tuple(_BROKER["messages"])
    return [Left(queue, **message) for queue in wanted for message in _BROKER["messages"].get(queue, ())]


def documents(database: str, collection: str) -> list[dict[str, Any]]:
    """What was in a collection of the config service's or the dispatcher's database."""
    found: list[dict[str, Any]] = _stored()[database][collection]["documents"]
    return found


def _stored() -> dict[str, Any]:
    stored: dict[str, Any] = json_util.loads((DIRECTORY / "databases.json").read_text())
    return stored


class FormerGateway(Gateway):
    """Today's services on the former state, each of them with its own user of RabbitMQ, as compose makes them now."""

    async def prepare(self) -> None:
        """Put the state back, and Bandwidth, which knows the accounts and no message."""
        shift = datetime.now(UTC) - datetime.fromisoformat(KNOWN["dumped_at"]) - _STOOD_STILL
        await asyncio.to_thread(self._restore_databases, shift)
        url = f"amqp://{self._vhost}_former:former@{self._broker.address}/{self._vhost}"
        self._broker.management.create_user(f"{self._vhost}_former", "former", self._vhost)
        try:
            async with await aio_pika.connect(url) as connection:
                await _restore_broker(await connection.channel(), shift)
        finally:
            self._broker.management.delete_user(f"{self._vhost}_former")
        await self.start("simulator")
        for tenant in ("acme", "beta"):
            await self.customer(tenant).tell_bandwidth()

    def _restore_databases(self, shift: timedelta) -> None:
        with MongoClient[dict[str, Any]](self.mongo_url) as client:
            for database, collections in _stored().items():
                target = client[self.env[f"{database.upper()}_MONGO_DATABASE"]]
                for name, kept in collections.items():
                    target.create_collection(name)
                    for index in kept["indexes"]:
                        options = {key: value for key, value in index.items() if key not in {"v", "key", "ns"}}
                        if options["name"] != "_id_":
                            target[name].create_index(list(index["key"].items()), **options)
                    if kept["documents"]:
                        target[name].insert_many(_shifted(kept["documents"], shift))

    def customer(self, tenant: str) -> Customer:
        """A tenant of the former state. Its webhook is reached at ingress itself, not by its public name."""
        account = KNOWN["accounts"][tenant]
        path = urlsplit(account["webhook"]).path
        config = {"id": account["config_id"], "tenant_id": tenant, "webhook": self.url("ingress") + path}
        credentials, callback = account["credentials"], account["callback"]
        self.keep_private(
            secrets=[credentials["api_secret"], callback["password"], path.rpartition("/")[2]], numbers=account["dids"]
        )
        pbx = {"acme": "main", "beta": "second"}[tenant]
        return Customer(self, config, credentials, callback, account["dids"], pbx)


class WithOneAccount(FormerGateway):
    """The same, with the one user of RabbitMQ that the former .env names for all services."""

    def broker_users(self, env: Mapping[str, str]) -> Mapping[str, str]:
        return {env["RABBITMQ_USER"]: env["RABBITMQ_PASSWORD"]}

    def rights(self, user: str) -> Rights:
        return EVERYTHING

    def amqp_url(self, user: str) -> str:
        return super().amqp_url(self.env["RABBITMQ_USER"])


async def _restore_broker(channel: AbstractChannel, shift: timedelta) -> None:
    exchanges = {"": channel.default_exchange}
    for one in _BROKER["exchanges"]:
        exchanges[one["name"]] = await channel.declare_exchange(
            one["name"], one["type"], durable=True, arguments=one["arguments"]
        )
    for one in _BROKER["queues"]:
        await channel.declare_queue(one["name"], durable=True, arguments=one["arguments"])
    for one in _BROKER["bindings"]:
        if one["destination_type"] == "exchange":
            await exchanges[one["destination"]].bind(one["source"], one["routing_key"], arguments=one["arguments"])
        elif one["source"]:
            queue = await channel.get_queue(one["destination"], ensure=False)
            await queue.bind(one["source"], one["routing_key"], arguments=one["arguments"])
    for message in left():
        await exchanges[message.exchange].publish(_again(message, shift), message.routing_key)


def _again(message: Left, shift: timedelta) -> aio_pika.Message:
    given = dict(message.properties)
    moment = given.pop("timestamp", None)
    return aio_pika.Message(
        _later(message.body, shift).encode(),
        headers=_shifted(given.pop("headers", {}), shift),
        timestamp=None if moment is None else datetime.fromtimestamp(moment, UTC) + shift,
        expiration=timedelta(milliseconds=_RESTS_MS) if message.queue == "sms.retry.30s" else None,
        **given,
    )


def _shifted(value: Any, shift: timedelta) -> Any:
    """The same with every moment in it later."""
    if isinstance(value, dict):
        return {key: _shifted(one, shift) for key, one in value.items()}
    if isinstance(value, list):
        return [_shifted(one, shift) for one in value]
    if isinstance(value, datetime):
        return value + shift
    return _later(value, shift) if isinstance(value, str) else value


def _later(text: str, shift: timedelta) -> str:
    def later(found: re.Match[str]) -> str:
        return (datetime.fromisoformat(found[0]) + shift).isoformat().replace("+00:00", "Z")

    return _MOMENT.sub(later, text)
