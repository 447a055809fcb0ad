"""Gives each service, and each PBX, its user of RabbitMQ, with the rights of sms_common.broker_rights. Safe to repeat.

Reads RABBITMQ_MANAGEMENT_URL, RABBITMQ_USER and RABBITMQ_PASSWORD (an administrator), RABBITMQ_VHOST (by default /),
RABBITMQ_USERS, a JSON object of {user: password}, and RABBITMQ_PBX_PASSWORDS, `id:password` for each PBX, with commas
between. A user without a password is left as it is.
"""

import base64
import http.client
import json
import os
import re
import time
from urllib.parse import quote, urlsplit

from sms_common.broker_rights import pbx_passwords, rights_of
from sms_common.topology import SMS

# The HTTP API opens with the node, which takes a minute after a power cut.
WAIT_SECONDS = 120
UNUSABLE = (
    "A secret in .env cannot be part of an address: CONFIG_INGRESS_TOKEN, MONGO_DISPATCHER_PASSWORD, "
    "MONGO_CONFIG_PASSWORD and the passwords that begin with RABBITMQ_ hold letters, digits, - and _ only."
)


class Management:
    """RabbitMQ's HTTP API."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = urlsplit(url)
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def call(self, method: str, path: str, body: object = None) -> int:
        """Return the status of the answer. Raises OSError or HTTPException when there is none."""
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=10)
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        try:
            connection.request(method, f"{self._url.path.rstrip('/')}/api/{path}", json.dumps(body), headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def put(self, path: str, body: object) -> None:
        """Have something so. Ends the process with a sentence when it is refused."""
        status = self.call("PUT", path, body)
        if status not in {http.client.CREATED, http.client.NO_CONTENT}:
            raise SystemExit(f"RabbitMQ answered {status} to PUT {path}")


def main() -> None:
    """Wait for RabbitMQ, then make or update the users."""
    settings = os.environ  # noqa: TID251  # a script of its own, mounted into a container
    try:
        pbxs = pbx_passwords(settings.get("RABBITMQ_PBX_PASSWORDS", ""))
    except ValueError as error:
        raise SystemExit(f"RABBITMQ_PBX_PASSWORDS in .env: {error}") from None
    users = {**passwords(settings["RABBITMQ_USERS"]), **pbxs}
    if settings["RABBITMQ_USER"] in users:
        raise SystemExit("RABBITMQ_USER in .env must not be the name of a service's or a PBX's user")
    management = Management(
        settings["RABBITMQ_MANAGEMENT_URL"], settings["RABBITMQ_USER"], settings["RABBITMQ_PASSWORD"]
    )
    wait(management)
    users = {user: password for user, password in users.items() if password}
    for user, password in users.items():
        grant(management, settings.get("RABBITMQ_VHOST", "/"), user, password)
    print(f"RabbitMQ knows {', '.join(users)}, each with its own rights")  # noqa: T201  # its log is its answer


def passwords(text: str) -> dict[str, str]:
    """Read the JSON object of {user: password}. Ends the process with a sentence when one cannot be part of a URL, as
    the address of RabbitMQ is one; tokens and passwords of which they are made were none before.
    """
    try:
        read: dict[str, str] = json.loads(text)
    except ValueError:
        raise SystemExit(UNUSABLE) from None
    if any(re.search(r"[^\w.~!$&'()*+,;=:-]", password) for password in read.values()):
        raise SystemExit(UNUSABLE)
    return read


def wait(management: Management) -> None:
    """Return once RabbitMQ lets the administrator in."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (status := answered(management)) != http.client.OK:
        if status == http.client.UNAUTHORIZED:
            raise SystemExit(
                "RabbitMQ refuses the administrator: RABBITMQ_USER or RABBITMQ_PASSWORD is not what it was"
            )
        if time.monotonic() > deadline:
            raise SystemExit(f"RabbitMQ's HTTP API did not answer within {WAIT_SECONDS} s")
        time.sleep(0.5)


def answered(management: Management) -> int | None:
    """The status of the simplest request, or None without an answer."""
    try:
        return management.call("GET", "whoami")
    except (OSError, http.client.HTTPException):
        return None


def grant(management: Management, vhost: str, user: str, password: str) -> None:
    """Make a user, or give the existing one the password and rights of today. Until the last step it may do nothing."""
    rights, name = rights_of(user), quote(user, safe="")
    place = f"{quote(vhost, safe='')}/{name}"
    management.put(f"users/{name}", {"password": password, "tags": ""})
    if rights.topics is not None:
        topics = {"exchange": SMS, "write": rights.topics.write, "read": rights.topics.read}
        management.put(f"topic-permissions/{place}", topics)
    management.put(f"permissions/{place}", {"configure": rights.configure, "write": rights.write, "read": rights.read})


if __name__ == "__main__":
    main()
