"""What each user of RabbitMQ may do, as values. It is said nowhere else.

`python -m sms_common.broker_rights` prints the table of docs/events.md. Permissions are regular expressions, see
https://www.rabbitmq.com/docs/access-control; each of these is anchored, since RabbitMQ searches for them anywhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sms_common.configuration import DEFAULT_PBX
from sms_common.input.patterns import ID_PATTERN
from sms_common.topology import (
    DEAD,
    RETRY_LADDER,
    SEEN,
    SMS,
    UNROUTED,
    pbx_inbound_queue,
    pbx_requests_exchange,
    pbx_status_queue,
)

INGRESS = "sms-ingress"
DISPATCHER = "sms-dispatcher"
CONFIG = "sms-config"
TOOLS = "sms-tools"
_PBX = "pbx-"

_NOTHING = "^$"
# RabbitMQ's name for the default exchange, through which every queue can be reached by its name.
_DEFAULT_EXCHANGE = r"amq\.default"
# The queues of listeners: the broker names them, and only their own connection can use them.
_LISTENING = r"amq\.gen-.+"


@dataclass(frozen=True, slots=True)
class Topics:
    """The routing keys with which a user may publish to the exchange `sms`, and those it may bind there."""

    write: str
    read: str


@dataclass(frozen=True, slots=True)
class Rights:
    """A user's rights in the gateway's virtual host, and their purpose. Without `topics` every key is allowed."""

    purpose: str
    configure: str
    write: str
    read: str
    topics: Topics | None = None


def _any_of(*patterns: str) -> str:
    return f"^({'|'.join(patterns)})$"


def _names(*names: str) -> tuple[str, ...]:
    return tuple(map(re.escape, names))


_OURS = (_LISTENING, *_names(SMS), r"sms\..+", r"pbx\..+")
_HEARING = (_LISTENING, *_names(SMS))
# Every reader of a queue publishes its retries and its dead letters.
_OUTCOMES = _names(DEAD, *(rung.name for rung in RETRY_LADDER))

_SERVICES: Mapping[str, Rights] = {
    INGRESS: Rights(
        "ingress: publishes what carriers report, dead-letters what it cannot read, reads announcements",
        configure=_any_of(_LISTENING),
        write=_any_of(*_HEARING, *_names(DEAD, SEEN)),
        read=_any_of(*_HEARING),
        topics=Topics(write=r"^sms\.carrier\.", read=r"^sms\.config\."),
    ),
    DISPATCHER: Rights(
        "dispatcher: declares everything, reads requests, lanes and carriers' events, publishes to PBXs",
        configure=_any_of(*_OURS),
        write=_any_of(_DEFAULT_EXCHANGE, *_OURS),
        read=_any_of(*_OURS),
    ),
    CONFIG: Rights(
        "config: announces changes, reads events for the portal, and replays parked messages",
        configure=_any_of(_LISTENING),
        write=_any_of(_DEFAULT_EXCHANGE, *_HEARING, *_OUTCOMES),
        read=_any_of(*_HEARING, *_names(SEEN, DEAD, UNROUTED)),
        topics=Topics(write=r"^sms\.", read=r"^sms\.(consent|inbound|status)\."),
    ),
    TOOLS: Rights(
        "`smsgw` on another host: sends a text, reads events, counts messages",
        configure=_any_of(_LISTENING),
        write=_any_of(*_HEARING),
        read=_any_of(*_HEARING),
        topics=Topics(write=r"^sms\.outbound\.", read=r"^sms\."),
    ),
}


def pbx_user(pbx_id: str) -> str:
    """The name of a PBX's user."""
    return f"{_PBX}{pbx_id}"


def rights_of(user: str) -> Rights:
    """The rights of the user of a service or of a PBX, by its name. Raises ValueError for any other."""
    if user in _SERVICES:
        return _SERVICES[user]
    pbx_id = user.removeprefix(_PBX)
    if pbx_id == user or not re.fullmatch(ID_PATTERN, pbx_id):
        raise ValueError(f"{user!r} is no user of the gateway; a PBX's is pbx- and its id")
    queues = _names(pbx_inbound_queue(pbx_id), pbx_status_queue(pbx_id))
    return Rights(
        f"the PBX {pbx_id}: requests texts for its own tenants, reads its own two queues",
        configure=_NOTHING,
        write=_any_of(*_names(pbx_requests_exchange(pbx_id))),
        read=_any_of(*queues),
        topics=Topics(_NOTHING, _NOTHING),
    )


def pbx_passwords(text: str) -> dict[str, str]:
    """Read `id:password,id:password`, one for each PBX. Returns the passwords by user. Raises ValueError, whose text
    holds no password.
    """
    passwords: dict[str, str] = {}
    for place, entry in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
        pbx_id, colon, password = entry.partition(":")
        if not colon or not password or not re.fullmatch(ID_PATTERN, pbx_id):
            raise ValueError(f"entry {place} is not a PBX's id, a colon and its password")
        passwords[pbx_user(pbx_id)] = password
    return passwords


def markdown() -> str:
    """The table of users for docs/events.md."""
    lines = [
        "| user | for | configure | write | read | on `sms`, write | on `sms`, read |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for user in (pbx_user(DEFAULT_PBX), *_SERVICES):
        rights = rights_of(user)
        topics = rights.topics or Topics(".*", ".*")
        patterns = (rights.configure, rights.write, rights.read, topics.write, topics.read)
        shown = " | ".join("`" + pattern.replace("|", r"\|") + "`" for pattern in patterns)
        lines.append(f"| `{user}` | {rights.purpose} | {shown} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())  # noqa: T201  # it is a command that prints a table
