"""The .env of this machine: made once from .env.example, with random secrets and free ports; read at every start."""

import base64
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from sms_common.broker_rights import pbx_passwords
from sms_common.configuration import DEFAULT_PBX
from sms_native.machine.ports import free_port, is_free
from sms_native.machine.processes import NativeError, write_private

_ASSIGNMENT = re.compile(r"^([A-Z][A-Z0-9_]*)=(.*)$")
_HIGHEST_PORT = 65_535
_PORT = re.compile(r"^[A-Z_]+_PORT$")


def _password() -> str:
    return secrets.token_hex(16)


def _token() -> str:
    return secrets.token_urlsafe(32)


def _key_ring() -> str:
    return "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()


def _pbx_passwords() -> str:
    return f"{DEFAULT_PBX}:{_password()}"


SECRETS: Mapping[str, Callable[[], str]] = {
    "RABBITMQ_PASSWORD": _password,
    "RABBITMQ_INGRESS_PASSWORD": _password,
    "RABBITMQ_DISPATCHER_PASSWORD": _password,
    "RABBITMQ_CONFIG_PASSWORD": _password,
    "RABBITMQ_TOOLS_PASSWORD": _password,
    "RABBITMQ_PBX_PASSWORDS": _pbx_passwords,
    "MONGO_PASSWORD": _password,
    "MONGO_CONFIG_PASSWORD": _password,
    "MONGO_DISPATCHER_PASSWORD": _password,
    "MONGO_REPLICA_KEY": lambda: secrets.token_hex(32),
    "CONFIG_BOOTSTRAP_API_KEY": _token,
    "CONFIG_FIRST_ADMIN_PASSWORD": _password,
    "CONFIG_INGRESS_TOKEN": _token,
    "CONFIG_DISPATCHER_TOKEN": _token,
    "CONFIG_KEY_RING": _key_ring,
    "DISPATCHER_API_TOKEN": _token,
    "SIMULATOR_CONTROL_TOKEN": _token,
}
"""The generators of secrets that .env lacks."""
_NEEDED_ONCE = frozenset({"CONFIG_BOOTSTRAP_API_KEY", "CONFIG_FIRST_ADMIN_PASSWORD"})
"""They make the first keys and the first administrator. It is fine if they were later removed from .env or emptied."""


def make(root: Path) -> bool:
    """Make .env in `root` from .env.example unless it exists, and print so; return whether it was made.

    Raises NativeError if there is no .env.example.
    """
    path, example = root / ".env", root / ".env.example"
    if not example.exists():
        raise NativeError(f"run this in the checkout: there is no .env.example in {root}")
    if path.exists():
        return False
    write_private(path, _filled(example.read_text()))
    print("made .env with random secrets", flush=True)
    return True


def complete(root: Path) -> list[str]:
    """Add the secrets that an older .env lacks, and return their names; the rest stays.

    Raises NativeError if a line cannot be read.
    """
    path = root / ".env"
    values = parse(path.read_text())
    missing = [name for name in SECRETS if name not in values and name not in _NEEDED_ONCE]
    if missing:
        added = "".join(f"{name}={SECRETS[name]()}\n" for name in missing)
        write_private(path, f"{path.read_text().rstrip()}\n\n# --- added\n{added}")
    return missing


def load(root: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return the values of .env in `root`, overridden by `given`; makes .env, or adds secrets that it lacks.

    Raises NativeError if a line cannot be read or a secret has characters that are not allowed in a URL.
    """
    make(root)
    complete(root)
    values = parse((root / ".env").read_text())
    values |= {name: given[name] for name in given.keys() & values.keys()}
    _check(values)
    return values


def parse(text: str) -> dict[str, str]:
    """Return the assignments of a .env as docker compose reads the plain ones: no quotes, no references."""
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _ASSIGNMENT.match(line.strip())
        if found is None:
            raise NativeError(f".env line {number} is not NAME=value")
        values[found[1]] = found[2].strip()
    return values


def _filled(example: str) -> str:
    """Fill in secrets, and replace ports that are taken."""
    lines: list[str] = []
    for line in example.splitlines():
        found = _ASSIGNMENT.match(line)
        if found and not found[2] and found[1] in SECRETS:
            lines.append(f"{found[1]}={SECRETS[found[1]]()}")
        elif found and _PORT.match(found[1]) and not is_free(int(found[2])):
            lines.append(f"{found[1]}={free_port()}")
            print(f"port {found[2]} is taken: {lines[-1]}", flush=True)
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _check(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if _PORT.match(name) and not (value.isascii() and value.isdigit() and 0 < int(value) <= _HIGHEST_PORT):
            raise NativeError(f"{name}={value} in .env is not a port")
        if name in _NEEDED_ONCE and not value:
            continue
        if name.endswith("_PASSWORD") and not re.fullmatch(r"[A-Za-z0-9_-]+", value):
            raise NativeError(f"{name} in .env may hold letters, digits, - and _ only")
    try:
        pbx_passwords(values.get("RABBITMQ_PBX_PASSWORDS", ""))
    except ValueError as error:
        raise NativeError(f"RABBITMQ_PBX_PASSWORDS in .env: {error}") from None
