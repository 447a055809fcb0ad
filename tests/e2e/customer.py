"""A customer of the gateway: a tenant with numbers, an SMS configuration, an account at Bandwidth, and a PBX."""

import base64
import json
import secrets
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

from sms_native.machine.ports import LOOPBACK
from tests.e2e.amqp import PATIENCE, Inbox, Message
from tests.e2e.gateway import Gateway
from tests.eventually import eventually_told

HANDSET = "+13125550100"
_NOBODY = "+13125550198"
_SHORT = 8
"""What is not longer might stand in a line by chance."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What ingress answered a webhook."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Customer:
    """Everything is made through the gateway's and the simulator's public interfaces."""

    def __init__(
        self,
        gateway: Gateway,
        config: dict[str, Any],
        credentials: dict[str, str],
        callback: dict[str, str] | None,
        dids: Sequence[str],
        pbx: str,
    ) -> None:
        self.gateway = gateway
        self.config = config
        self.tenant: str = config["tenant_id"]
        self.credentials = credentials
        self.callback = callback
        self.dids = dids
        self.pbx = pbx
        self.statuses = Inbox()
        self.inbound = Inbox()
        self._events: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self._sorted_in = 0

    @classmethod
    @asynccontextmanager
    async def of(
        cls,
        gateway: Gateway,
        tenant: str,
        dids: Sequence[str],
        *,
        pbx: str | None = None,
        with_callback: bool = True,
        rate: float = 0,
        **fields: Any,
    ) -> AsyncIterator[Self]:
        """Set one up, wait until both services know it, and be its PBX inside the context.

        `fields` are further ones of the SMS configuration; `rate` is Bandwidth's, in segments a second.
        """
        customer = await cls._made(gateway, tenant, dids, pbx or tenant, fields, with_callback=with_callback)
        await customer.tell_bandwidth(rate=rate)
        await eventually_told(lambda: gateway.client.has_queue(f"pbx.{customer.pbx}.status"), bool)
        async with customer.reading():
            await customer._until_known()
            yield customer

    @classmethod
    async def _made(
        cls,
        gateway: Gateway,
        tenant: str,
        dids: Sequence[str],
        pbx: str,
        fields: Mapping[str, Any],
        *,
        with_callback: bool,
    ) -> Self:
        await gateway.api("POST", "/tenants", {"id": tenant, "name": tenant, "country": "US", "pbx_id": pbx})
        numbers = {"dids": ",".join(dids), "default_did": dids[0]}
        trunk = await gateway.api(
            "POST", "/trunks", {"tenant_id": tenant, "name": "Numbers", "brand": "Bandwidth", **numbers}
        )
        names = ("account_id", "api_token", "api_secret")
        credentials = {name: f"{tenant}-{name.replace('_', '-')}-{secrets.token_hex(8)}" for name in names}
        credentials["application_id"] = str(uuid.uuid4())
        callback = {"username": "bandwidth", "password": secrets.token_hex(16)} if with_callback else None
        body = {"name": "Texts", "provider_id": trunk["id"], "credentials": credentials, "callback": callback, **fields}
        config = await gateway.api("POST", "/sms", body)
        secret = [credentials["api_secret"], config["webhook"].rpartition("/")[2]]
        gateway.keep_private(secrets=[*secret, callback["password"]] if callback else secret, numbers=dids)
        return cls(gateway, config, credentials, callback, dids, pbx)

    async def tell_bandwidth(self, **account: Any) -> None:
        """Make the account at Bandwidth, or change it; both webhook URLs are the configuration's."""
        url, own = self.config["webhook"], self.credentials
        application = {
            "application_id": own["application_id"],
            "inbound_url": url,
            "outbound_url": url,
            "inbound_credentials": self.callback,
            "outbound_credentials": self.callback,
            "events": [f"message-{what}" for what in ("sending", "sent", "delivered", "failed", "read")],
            "numbers": [number for number in self.dids if number.startswith("+")],
        }
        client = {"client_id": own["api_token"], "client_secret": own["api_secret"]}
        body = {"credentials": [client], "applications": [application], **account}
        await self.gateway.simulator("PUT", f"/accounts/{own['account_id']}", body)

    async def _until_known(self) -> None:
        """A request that lacks nothing but a text is refused for that, and the webhook is there."""

        async def refused_for() -> str | None:
            message_id = await self.send(_NOBODY, "")
            with suppress(AssertionError):  # nothing is told before the queue is bound
                refused = await self.final(message_id, seconds=1)
                return str(refused["error"]["code"])
            return None

        await eventually_told(refused_for, lambda code: code == "no_content")
        await eventually_told(self.has_webhook, bool)

    # --- the PBX

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Read both queues of the PBX inside the context."""
        client = self.gateway.client
        async with (
            client.reading(f"pbx.{self.pbx}.status", self.statuses),
            client.reading(f"pbx.{self.pbx}.inbound", self.inbound),
        ):
            yield

    async def send(self, to: str | Sequence[str], text: str, **fields: Any) -> str:
        """Publish a request with the five fields, and `fields` on top; its message_id."""
        message_id = fields.pop("message_id", None) or str(uuid.uuid4())
        body = {"message_id": message_id, "tenant_id": self.tenant, "extension": "101", "to": to, "text": text}
        self._keep_private(text, [to] if isinstance(to, str) else to)
        await self.gateway.client.publish({**body, **fields}, f"sms.outbound.{self.tenant}")
        return str(message_id)

    async def told(self, message_id: str, *statuses: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The first event that says one of these statuses of a message."""
        try:
            message = await self.statuses.first(
                lambda m: m.json["message_id"] == message_id and m.json["status"] in statuses,
                " or ".join(statuses),
                seconds,
            )
        except AssertionError as error:
            raise AssertionError(f"{error}; of {message_id} this was told: {self.course(message_id)}") from None
        return message.json

    async def final(self, message_id: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The first final event of a message."""
        message = await self.statuses.first(
            lambda m: m.json["message_id"] == message_id and m.json["final"], f"the end of {message_id}", seconds
        )
        return message.json

    async def finals(self, message_ids: Iterable[str], seconds: float = PATIENCE) -> None:
        """Return once each of these messages has ended."""
        missing = set(message_ids)
        seen = 0

        def all_ended(messages: list[Message]) -> bool:
            nonlocal seen
            missing.difference_update(m.json["message_id"] for m in messages[seen:] if m.json["final"])
            seen = len(messages)
            return not missing

        await self.statuses.until(all_ended, "the end of every message", seconds)

    def events(self, message_id: str) -> list[dict[str, Any]]:
        """The events about a message in the order of its life, each once."""
        for message in self.statuses.messages[self._sorted_in :]:
            self._events[message.json["message_id"]][message.json["event_id"]] = message.json
        self._sorted_in = len(self.statuses.messages)
        return sorted(self._events[message_id].values(), key=lambda event: (event["sequence"], event["recorded_at"]))

    def course(self, message_id: str) -> list[str]:
        """The statuses of a message in the order of its life."""
        return [event["status"] for event in self.events(message_id)]

    async def received(self, carrier_id: str, did: str | None = None, seconds: float = PATIENCE) -> dict[str, Any]:
        """The inbound event of the text that Bandwidth calls `carrier_id`."""
        message = await self.inbound.first(
            lambda m: m.json["provider_msg_id"] == carrier_id and did in {None, m.json["did"]},
            f"the text {carrier_id}",
            seconds,
        )
        return message.json

    def _keep_private(self, text: str, numbers: Sequence[str]) -> None:
        full = [number for number in numbers if number[1:].isdigit() and len(number) > _SHORT]
        self.gateway.keep_private(texts=[text] if len(text) > _SHORT else [], numbers=full)

    # --- the handsets and Bandwidth

    async def text_in(self, text: str, sender: str = HANDSET, **fields: Any) -> str:
        """A handset writes to the customer's first number; Bandwidth's id of the text."""
        self._keep_private(text, [sender])
        body = {"from": sender, "to": self.dids[0], "text": text, **fields}
        answer = await self.gateway.simulator("POST", "/inbound", body)
        return str(answer["messages"][0]["message_id"])

    async def fault(self, **fault: Any) -> None:
        """Have Bandwidth fail, for this customer only."""
        await self.gateway.simulator("POST", "/faults", {"account_id": self.credentials["account_id"], **fault})

    async def has_webhook(self) -> bool:
        """Whether ingress knows the customer's webhook."""
        return (await self.webhook(b"[]", authorization=None)).status != 404

    async def webhook(self, body: bytes | object, *, authorization: str | None = "right", **headers: str) -> Answer:
        """Post to the customer's webhook, with the right credentials, another Authorization header, or none."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if authorization == "right" and self.callback:
            given["Authorization"] = basic(**self.callback)
        elif authorization not in {None, "right"}:
            given["Authorization"] = authorization
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await post(self.gateway, self.config["webhook"], content, given)


def basic(username: str, password: str) -> str:
    """The Authorization header of HTTP Basic."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


async def post(gateway: Gateway, url: str, body: bytes, headers: Mapping[str, str], method: str = "POST") -> Answer:
    """Any request to ingress."""
    target = url if url.startswith("http") else gateway.url("ingress") + url
    assert target.startswith(f"http://{LOOPBACK}")
    headers = {"Content-Type": "application/json", **headers}
    async with gateway.http.request(method, target, data=body, headers=headers) as answer:
        return Answer(answer.status, answer.headers, await answer.read())
