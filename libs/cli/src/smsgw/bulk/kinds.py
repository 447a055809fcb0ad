"""The kinds of objects in a file, and their names for people."""

from enum import StrEnum

Key = tuple[str, ...]


class ObjectKind(StrEnum):
    """A kind of object. Its value is its name for people. Each kind may refer to those before it only."""

    TENANT = "tenant"
    TRUNK = "trunk"
    SMS = "SMS configuration"
    EXTENSION = "extension"
    INBOUND_RULE = "inbound rule"
    OUTBOUND_RULE = "outbound rule"
    ROUTING = "routing"

    @property
    def path(self) -> str:
        """The API's path for these objects."""
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
    """The name of one object for people."""
    return f"{kind} {'/'.join(part for part in key if part)}"
