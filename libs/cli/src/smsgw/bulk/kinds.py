"""The kinds of objects that a file holds, and how a person calls one object."""

from enum import StrEnum

Key = tuple[str, ...]


class ObjectKind(StrEnum):
    """A kind of object. Its value is what a person calls it. Each needs none but those before it."""

    TENANT = "tenant"
    TRUNK = "trunk"
    SMS = "SMS configuration"
    EXTENSION = "extension"
    INBOUND_RULE = "inbound rule"
    OUTBOUND_RULE = "outbound rule"
    ROUTING = "routing"

    @property
    def path(self) -> str:
        """Where the API has these objects."""
        return f"/api/v1/{_PATHS[self]}"


_PATHS = {
    ObjectKind.TENANT: "tenants",
    ObjectKind.TRUNK: "trunks",
    ObjectKind.SMS: "sms",
    ObjectKind.EXTENSION: "extensions",
    ObjectKind.INBOUND_RULE: "inbound-rules",
    ObjectKind.OUTBOUND_RULE: "outbound-rules",
    ObjectKind.ROUTING: "routing",
}


def label(kind: ObjectKind, key: Key) -> str:
    """What a person calls one object."""
    return f"{kind} {'/'.join(part for part in key if part)}"
