"""The file: reads it and checks its form, without a server.

Objects are identified by their names, never by an id that one installation made: a tenant by its own id, everything
else by tenant and name, and a trunk of the system by its name alone. An absent field stays as it is; a new object gets
the API's default. Null means none.
"""

import codecs
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from sms_common.configuration import FailurePolicy, PaceLimits, SmsConfigFields
from sms_common.input.pasted import trimmed
from smsgw.bulk.entry import Name, StrictEntry, TenantId, empty_is_none
from smsgw.bulk.rule_entries import ExtensionEntry, InboundRuleEntry, OutboundRuleEntry, RoutingEntry

VERSION = 1
SECTIONS = ("tenants", "trunks", "sms", "extensions", "inbound_rules", "outbound_rules", "routing")
MAX_BYTES = 16 * 1024 * 1024
_TEXT = "tag:yaml.org,2002:str"
STANDARD_INPUT = Path("-")
# UTF-32 before UTF-16: a mark of UTF-32 begins with the bytes of one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_ENV = "_env"
_ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
EnvName = Annotated[str, Field(pattern=_ENV_NAME)]
# The API's limit.
_MAX_CREDENTIAL = 512


class BadFile(Exception):  # its text is shown to the user
    """A file cannot be used. The text has one line for each fault."""


class TenantEntry(StrictEntry):
    """A tenant. `default_config` is the name of one of its SMS configurations."""

    id: TenantId
    name: Name
    country: str | None = None
    foreign_without_plus: bool = False
    time_zone: str | None = None
    pbx_id: str | None = None
    default_config: Name | None = None


class PoolEntry(StrictEntry):
    """A tenant's numbers on a trunk of the system."""

    tenant: TenantId
    dids: str = ""
    default_did: str | None = None


class TrunkEntry(StrictEntry):
    """A trunk with its numbers. Without a tenant it is a trunk of the system, with a pool for each borrower and the
    lender's account at the carrier.
    """

    tenant: TenantId | None = None
    name: Name
    brand: Name
    carrier: str | None = None
    hostname: str | None = None
    account: str | None = None
    dids: str = ""
    default_did: str | None = None
    pools: list[PoolEntry] | None = None

    @model_validator(mode="after")
    def _belongs_to_somebody(self) -> Self:
        if (self.tenant is None) == (self.pools is None):
            raise ValueError("needs either a tenant or, for a trunk of the system, pools")
        return self

    @property
    def label(self) -> str:
        """Its tenant and its name."""
        return self.name if self.tenant is None else f"{self.tenant}/{self.name}"


class LimitsEntry(PaceLimits):
    """How fast it may send. An absent limit means no limit."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return empty_is_none(cls, value)


class CredentialsEntry(StrictEntry):
    """Credentials by the names that the trunk's carrier declares. Others stay as they are stored.

    `<name>_env` names the environment variable that is read at the import. A credential that is not secret may be in
    the file itself, as `<name>`.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[str, Field(max_length=_MAX_CREDENTIAL)] | None] = Field(init=False)

    def variables(self) -> dict[str, str]:
        """The environment variable of each credential that has one."""
        return {name.removesuffix(_ENV): value for name, value in self._given() if name.endswith(_ENV)}

    def literals(self) -> dict[str, str]:
        """The credentials with a value in the file."""
        return {name: value for name, value in self._given() if not name.endswith(_ENV)}

    def _given(self) -> Iterator[tuple[str, str]]:
        return ((name, value) for name, value in self.__pydantic_extra__.items() if value)


class CallbackEntry(StrictEntry):
    """Who may call the webhook. Without a variable the stored password stays."""

    username: str
    password_env: EnvName | None = None


class SmsEntry(StrictEntry, SmsConfigFields):
    """An SMS configuration. `trunk` is the name of a trunk of the same tenant, or of one that is lent to it."""

    tenant: TenantId
    name: Name
    trunk: Name
    failure_policy: Annotated[FailurePolicy, Field(strict=False)] = FailurePolicy.HOLD
    credentials: CredentialsEntry | None = None
    callback: CallbackEntry | None = None
    limits: LimitsEntry = LimitsEntry()


class Document(StrictEntry):
    """The whole file. With `only_tenants` it is about these tenants alone, and nothing of others is deleted."""

    version: Literal[1]
    only_tenants: list[TenantId] | None = None
    tenants: list[TenantEntry] = Field(default=[])
    trunks: list[TrunkEntry] = Field(default=[])
    sms: list[SmsEntry] = Field(default=[])
    extensions: list[ExtensionEntry] = Field(default=[])
    inbound_rules: list[InboundRuleEntry] = Field(default=[])
    outbound_rules: list[OutboundRuleEntry] = Field(default=[])
    routing: list[RoutingEntry] = Field(default=[])
    _lines: Mapping[tuple[str, int], int] = PrivateAttr(default_factory=dict)

    def line(self, section: str, place: int) -> int | None:
        """The line of the file on which an entry of a section begins; `place` counts from 0."""
        return self._lines.get((section, place))

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        twice = [
            *_repeated("tenant", (entry.id for entry in self.tenants)),
            *_repeated("trunk", (entry.label for entry in self.trunks)),
            *_repeated("SMS configuration", (f"{entry.tenant}/{entry.name}" for entry in self.sms)),
            *_repeated("extension", (f"{entry.tenant}/{entry.extension}" for entry in self.extensions)),
            *_repeated("inbound rule", (f"{entry.tenant}/{entry.name}" for entry in self.inbound_rules)),
            *_repeated("outbound rule", (f"{entry.tenant}/{entry.name}" for entry in self.outbound_rules)),
            *_repeated("routing", (entry.tenant for entry in self.routing)),
        ]
        if twice:
            raise ValueError("; ".join(twice))
        return self

    @model_validator(mode="after")
    def _within_its_tenants(self) -> Self:
        named = {entry.id for entry in self.tenants}
        named |= {entry.tenant for entry in self.trunks if entry.tenant} | {entry.tenant for entry in self.sms}
        named |= {entry.tenant for entry in self.extensions} | {entry.tenant for entry in self.routing}
        named |= {rule.tenant for rule in self.inbound_rules} | {rule.tenant for rule in self.outbound_rules}
        if self.only_tenants is not None and any(entry.tenant is None for entry in self.trunks):
            raise ValueError("a file with only_tenants may not contain a trunk of the system")
        beyond = named - set(self.only_tenants) if self.only_tenants is not None else set()
        if beyond:
            raise ValueError(f"only_tenants does not name {', '.join(sorted(beyond))}")
        return self


def read(path: Path, *, literals: bool = False) -> Document:
    """Read a file; `-` is standard input. Raises BadFile with a line for each fault.

    With `literals`, credentials may be in the file. Whether they are secret is checked later, by the carrier.
    """
    try:
        content = sys.stdin.buffer.read(MAX_BYTES + 1) if path == STANDARD_INPUT else _bytes(path)
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise BadFile(f"{path} has more than {MAX_BYTES} bytes")
    try:
        return parse(content.decode(_encoding(content)), literals=literals)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadFile(f"{path} is not UTF-8: line {line} has other bytes") from None


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _encoding(content: bytes) -> str:
    """Find a file's Unicode encoding by its byte order mark, or by the position of the first zero byte."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    zeros = [byte == 0 for byte in content[:2]]
    return "utf-16-be" if zeros == [True, False] else "utf-16-le" if zeros == [False, True] else "utf-8"


def parse(text: str, *, literals: bool = False) -> Document:
    """Read the text of a file, as `read` does. Raises BadFile."""
    try:
        node, content = _loaded(text.removeprefix("\ufeff"))
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 1}" if place else ""
        raise BadFile(f"it is no YAML{where}: {getattr(error, 'problem', None) or type(error).__name__}") from None
    except RecursionError:
        raise BadFile("it is nested too deeply") from None
    _check_keys(node)
    if not isinstance(content, dict):
        raise BadFile("it is no mapping with a `version`")
    found: list[Any] = list(_credential_faults(content, literals=literals))
    try:
        document = Document.model_validate(content)
    except ValidationError as error:
        found += error.errors(include_url=False, include_input=False)
    if found:
        raise BadFile("\n".join(_sentence(one, node) for one in found[:20]))
    document._lines = _lines(node)  # noqa: SLF001  # only this function knows them
    return document


def _credential_faults(content: dict[Any, Any], *, literals: bool) -> Iterator[dict[str, Any]]:
    """Return faults in the names of credentials and variables, in the form of pydantic's errors."""
    sections = content.get("sms")
    for place, entry in enumerate(sections if isinstance(sections, list) else []):
        credentials = entry.get("credentials") if isinstance(entry, dict) else None
        for name, value in credentials.items() if isinstance(credentials, dict) else ():
            where = {"loc": ("sms", place, "credentials", name)}
            if not name.endswith(_ENV):
                if not literals:
                    yield {**where, "type": "extra_forbidden"}
            elif isinstance(value, str) and trimmed(value) and not re.fullmatch(_ENV_NAME, trimmed(value)):
                yield {**where, "type": "string_pattern_mismatch"}


def _loaded(text: str) -> tuple[yaml.Node | None, Any]:
    """Return a file's nodes, which have line numbers, and its content. Raises YAMLError."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def _check_keys(node: yaml.Node | None) -> None:
    """Refuse a name that is twice in a mapping (YAML would keep the last), or that YAML does not read as text.

    Raises BadFile.
    """
    waiting, seen = [node], set[int]()
    while waiting:
        part = waiting.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, yaml.MappingNode):
            _check_mapping(part)
        waiting += [child for _, child in _children(part).values()]


def _check_mapping(node: yaml.MappingNode) -> None:
    names: set[str] = set()
    for key, _ in node.value:
        where = f"line {key.start_mark.line + 1}: {key.value}"
        if key.tag != _TEXT:
            raise BadFile(f"{where}: must be text; put it in quotes")
        if key.value in names:
            raise BadFile(f"{where}: stands there twice")
        names.add(key.value)


def _lines(node: yaml.Node | None) -> dict[tuple[str, int], int]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {
        (key.value, place): entry.start_mark.line + 1
        for key, section in node.value
        if isinstance(section, yaml.SequenceNode)
        for place, entry in enumerate(section.value)
    }


def write(content: Mapping[str, Any]) -> str:
    """Return the text of a file with this content, which has only JSON values."""
    body = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=120)
    return (
        "# Configuration of an SMS gateway, written by `smsgw config export`. It holds no secrets: these stay where\n"
        "# they are stored, or come from environment variables that are named here (api_secret_env: NAME).\n" + body
    )


def _repeated(noun: str, keys: Iterable[str]) -> list[str]:
    return [f"the {noun} {key} stands there {count} times" for key, count in Counter(keys).items() if count > 1]


_SENTENCES = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "must be text; put it in quotes",
    "literal_error": f"must be {VERSION}",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number, without quotes",
    "float_type": "must be a number, without quotes",
    "list_type": "must be a list; begin each entry with a hyphen",
    "model_type": "must be names and values",
    "too_short": "needs at least one",
    "string_too_long": "may have {max_length} characters",
    "string_too_short": "may not be empty",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "enum": "must be {expected}",
}
_WRONG_FORM = "has a form or characters that are not allowed here"


def _sentence(found: Any, node: yaml.Node | None) -> str:
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in found["loc"])
    kind, context = found["type"], found.get("ctx", {})
    said = str(context["error"]) if kind == "value_error" else _SENTENCES.get(kind, _WRONG_FORM).format_map(context)
    return f"line {_line(node, found['loc'])}: {place}: {said}" if place else said


def _line(node: yaml.Node | None, place: Iterable[str | int]) -> int:
    """Return the line of a field; of a missing one, the line of the entry that lacks it."""
    line = 1
    for part in place:
        within = _children(node).get(part)
        if within is None:
            break
        line, node = within
    return line


def _children(node: yaml.Node | None) -> dict[Any, tuple[int, yaml.Node]]:
    """Return a node's children by key or place, each with the line on which it begins."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: (key.start_mark.line + 1, value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return {place: (value.start_mark.line + 1, value) for place, value in enumerate(node.value)}
    return {}
