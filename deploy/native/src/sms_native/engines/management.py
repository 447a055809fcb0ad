"""RabbitMQ's HTTP API: virtual hosts, queues, connections. A call takes milliseconds; rabbitmqctl half a second."""

import base64
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from sms_common.broker_rights import Rights
from sms_common.topology import SMS
from sms_native.machine.processes import NativeError

EVERYTHING = Rights("everything", ".*", ".*", ".*")


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue as the broker last counted it: every 5 s, or more often on a node with fast counts."""

    name: str
    messages: int
    """ready and unacknowledged"""
    ready: int
    unacknowledged: int
    consumers: int


class ManagementApi:
    """The HTTP API of one broker, given as `http://user:password@host:port`. Blocks for some milliseconds a call."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is None:
            raise NativeError("the management URL must look like http://user:password@host:15672")
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port or (443 if self._secure else 15672)
        self._prefix = parts.path.rstrip("/")
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        self._authorization = "Basic " + base64.b64encode(user.encode()).decode()

    def ready(self) -> bool:
        """Whether the broker accepts the log-in and a message: one is published, with a confirm, to no queue."""
        message = {"properties": {}, "routing_key": "sms-native.nowhere", "payload": "", "payload_encoding": "string"}
        try:
            answer = self._call("POST", "/api/exchanges/%2F/amq.default/publish", message)
        except (NativeError, OSError, http.client.HTTPException):
            return False
        return bool(answer == {"routed": False})

    def create_vhost(self, name: str) -> None:
        """Make a virtual host in which this user has all rights; does nothing if it exists."""
        self._call("PUT", f"/api/vhosts/{_segment(name)}", {})

    def delete_vhost(self, name: str) -> None:
        """Delete a virtual host with its queues and connections; does nothing if there is none."""
        self._call("DELETE", f"/api/vhosts/{_segment(name)}", absent_is_fine=True)

    def vhosts(self) -> list[str]:
        """Return the names of all virtual hosts."""
        return [vhost["name"] for vhost in self._call("GET", "/api/vhosts?columns=name")]

    def queues(self, vhost: str) -> dict[str, QueueState]:
        """Return the queues of a virtual host by name."""
        consumers: dict[str, int] = {}
        for consumer in self._call("GET", f"/api/consumers/{_segment(vhost)}"):
            name = consumer["queue"]["name"]
            consumers[name] = consumers.get(name, 0) + 1
        # Without the statistics the counts come straight from the queues' own last report.
        listed = self._call("GET", f"/api/queues/{_segment(vhost)}?disable_stats=true&enable_queue_totals=true")
        return {queue["name"]: _queue_state(queue, consumers.get(queue["name"], 0)) for queue in listed}

    def create_user(self, name: str, password: str, vhost: str, rights: Rights = EVERYTHING) -> None:
        """Make an account with these rights, by default all, in one virtual host and none in others. An existing
        account gets this password and these rights.
        """
        self._call("PUT", f"/api/users/{_segment(name)}", {"password": password, "tags": ""})
        place = f"{_segment(vhost)}/{_segment(name)}"
        permissions = {"configure": rights.configure, "write": rights.write, "read": rights.read}
        topics = rights.topics
        if topics is None:
            self._call("DELETE", f"/api/topic-permissions/{place}", absent_is_fine=True)
        else:  # before the permissions: until these are set the account has no rights
            body = {"exchange": SMS, "write": topics.write, "read": topics.read}
            self._call("PUT", f"/api/topic-permissions/{place}", body)
        self._call("PUT", f"/api/permissions/{place}", permissions)

    def delete_user(self, name: str) -> None:
        """Delete an account; does nothing if there is none."""
        self._call("DELETE", f"/api/users/{_segment(name)}", absent_is_fine=True)

    def close_connections(self, user: str) -> int:
        """Close every connection of an account; return how many there were."""
        path = f"/api/connections/username/{_segment(user)}"
        connections = len(self._call("GET", path))
        self._call("DELETE", path)
        return connections

    def memory_alarm(self) -> bool:
        """Whether publishers are blocked because memory or disk space is low."""
        return bool(self._call("GET", "/api/health/checks/local-alarms", statuses=(200, 503)).get("alarms"))

    def _call(
        self, method: str, path: str, body: Any = None, *, statuses: tuple[int, ...] = (), absent_is_fine: bool = False
    ) -> Any:
        """Return the decoded answer. Raises NativeError for an unexpected status, OSError if there is no answer."""
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=30)
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        try:
            connection.request(method, self._prefix + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status in (statuses or (200, 201, 204)) or (
            absent_is_fine and answer.status == http.client.NOT_FOUND
        ):
            return json.loads(content) if content else None
        reason = content.decode(errors="replace")[:300]
        raise NativeError(f"RabbitMQ answered {method} {path} with {answer.status}: {reason}")


def _segment(text: str) -> str:
    return quote(text, safe="")


def _queue_state(queue: dict[str, Any], consumers: int) -> QueueState:
    """Read one queue; one younger than the first count has no counts yet."""
    return QueueState(
        name=queue["name"],
        messages=queue.get("messages", 0),
        ready=queue.get("messages_ready", 0),
        unacknowledged=queue.get("messages_unacknowledged", 0),
        consumers=consumers,
    )
