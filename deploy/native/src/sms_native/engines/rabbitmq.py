"""A private RabbitMQ node: own port, data and Erlang cookie in one directory, on loopback only, with one account."""

import base64
import hashlib
import json
import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from sms_native.engines.management import ManagementApi
from sms_native.machine import debian
from sms_native.machine.ports import LOOPBACK, choose, free_port
from sms_native.machine.processes import (
    NativeError,
    Process,
    StateFile,
    only_one,
    raise_file_limit,
    until,
    write_private,
)
from sms_native.settings import inherited

_DEBIAN = Path("/usr/lib/rabbitmq/bin")
"""Debian's commands in /usr/sbin require root or the user rabbitmq; the scripts that they call do not."""
_INSTEAD = "Or set AMQP_URL to a RabbitMQ (3.10 or newer) that runs elsewhere."
_FEW_FILES = 8_192
_WATERMARK = "0.4"
"""The share of the machine's memory above which publishers are blocked; RabbitMQ 3's default."""
# As in deploy/rabbitmq/rabbitmq.conf: a parked message is kept as it came, however large.
_MOST_BYTES = 512 * 1024
FAST_COUNTS = (
    "-rabbit quorum_tick_interval 250 -rabbit collect_statistics_interval 250"
    " -rabbitmq_management sample_retention_policies [{global,[{60,1}]},{basic,[{60,1}]},{detailed,[{60,1}]}]"
)
"""Options for the Erlang runtime: update the counts of queues and consumers more often than every 5 s, for tests."""


def find_or_install(*, may_install: bool) -> Path:
    """Return the directory of the server's own scripts; installs the package if it is missing and that is allowed.

    Raises NativeError, with advice, if there are none.
    """
    found = _find()
    if found is None:
        debian.install("rabbitmq-server", _INSTEAD, allowed=may_install)
        found = _find()
    if found is None:
        raise NativeError(f"rabbitmq-server is installed, but {_DEBIAN} does not exist. {_INSTEAD}")
    return found


class RabbitNode:
    """One node in `directory`. Port 0: that of the last start, or any free one.

    With `fast_counts` the counts of queues are at most 0.3 s old and those of consumers 1 s; otherwise 5 s.
    """

    def __init__(
        self,
        directory: Path,
        *,
        user: str,
        password: str,
        port: int = 0,
        management_port: int = 0,
        fast_counts: bool = False,
    ) -> None:
        self._directory = directory.absolute()
        self._user = user
        self._password = password
        self._wanted = {"port": port, "management": management_port}
        self._fast_counts = fast_counts
        self._file = StateFile(self._directory / "node.json")

    @classmethod
    def temporary(cls, directory: Path) -> Self:
        """Make a node for tests: any free ports, random password, fast counts."""
        return cls(directory, user="test", password=secrets.token_hex(8), fast_counts=True)

    def start(self, *, may_install: bool = True, seconds: float = 60) -> None:
        """Start the node unless it runs, and wait until it accepts messages.

        Raises NativeError if it cannot be installed, its ports are taken, or it is not ready within `seconds`.
        """
        scripts = find_or_install(may_install=may_install)
        with only_one(self._directory):
            server = self._server()
            if server is None:
                self._prepare(str(scripts))
                server = self._spawn()
            try:
                until(self._ready, server, self.log, seconds)
            except NativeError as error:
                raise NativeError(f"RabbitMQ: {error}") from error

    def stop(self, seconds: float = 30) -> None:
        """Shut the node down; its data stay. Does nothing if it does not run."""
        with only_one(self._directory):
            state = self._file.read()
            for name in ("server", "epmd"):
                process = Process.from_record(state.get(name))
                if process is not None:
                    process.stop(seconds)

    def write_down_declarations(self) -> None:
        """Write declarations to disk now.

        RabbitMQ confirms a declaration earlier: Mnesia's log keeps it in memory for up to 2 s. A queue that a power cut
        destroys in this time takes with it the messages that were confirmed into it.
        """
        self.control("eval", "mnesia:sync_log().")

    def kill(self) -> None:
        """Kill the node, like a power cut; `start` brings it back with its data."""
        server = self._server()
        if server is not None:
            server.kill()

    def remove(self) -> None:
        """Kill the node and delete its data."""
        self.kill()
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self._server() is not None

    @property
    def log(self) -> Path:
        """The server's log."""
        return self._directory / "log" / "rabbitmq.log"

    @property
    def port(self) -> int:
        """The AMQP port. Raises NativeError before the first start."""
        return int(self._state("port"))

    @property
    def address(self) -> str:
        """The AMQP address, as host:port."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def management_url(self) -> str:
        """The HTTP API with user and password."""
        return f"http://{self._account()}@{LOOPBACK}:{self._state('management')}"

    @property
    def management(self) -> ManagementApi:
        """The HTTP API."""
        return ManagementApi(self.management_url)

    def url(self, vhost: str = "/") -> str:
        """Return the AMQP URL of a virtual host, with user and password."""
        return f"amqp://{self._account()}@{self.address}/{quote(vhost, safe='')}"

    def url_of(self, user: str, password: str) -> str:
        """Return the AMQP URL of another user, in the default virtual host."""
        return f"amqp://{quote(user, safe='')}:{quote(password, safe='')}@{self.address}/"

    def set_memory_alarm(self, *, on: bool) -> None:
        """Raise or clear the memory alarm, which blocks publishers; a restart clears it too."""
        self.control("set_vm_memory_high_watermark", "0" if on else _WATERMARK)

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl and return what it prints. Takes half a second. Raises NativeError when it fails."""
        command = [str(Path(self._state("scripts")) / "rabbitmqctl"), "--silent", *arguments]
        done = subprocess.run(  # noqa: S603 - a fixed program; its arguments come from this code
            command, env=self._environment(self._file.read()), capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            raise NativeError(f"rabbitmqctl {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def _account(self) -> str:
        return f"{quote(self._user, safe='')}:{quote(self._password, safe='')}"

    def _state(self, name: str) -> Any:
        state = self._file.read()
        if name not in state:
            raise NativeError(f"RabbitMQ was never started in {self._directory}")
        return state[name]

    def _server(self) -> Process | None:
        server = Process.from_record(self._file.read().get("server"))
        return server if server is not None and server.alive else None

    def _prepare(self, scripts: str) -> None:
        """Choose ports and write the configuration. The node's name never changes: its data are stored under it."""
        state = self._file.read()
        epmd = Process.from_record(state.get("epmd"))
        epmd_lives = epmd is not None and epmd.alive
        self._file.write(
            node=state.get("node") or f"sms-{secrets.token_hex(4)}@localhost",
            scripts=scripts,
            port=choose(self._wanted["port"], state.get("port")),
            management=choose(self._wanted["management"], state.get("management")),
            distribution=free_port(),
            epmd_port=state["epmd_port"] if epmd_lives else free_port(),
            epmd=state["epmd"] if epmd_lives else None,
        )
        for name in ("mnesia", "log", "generated", "none"):
            (self._directory / name).mkdir(exist_ok=True)
        state = self._file.read()
        write_private(self._directory / "rabbitmq.conf", self._configuration(state))
        write_private(self._directory / "definitions.json", json.dumps(_definitions(self._user, self._password)))
        (self._directory / "plugins").write_text("[rabbitmq_management].\n")

    def _spawn(self) -> Process:
        """Start a private Erlang name server (a shared one would listen on all interfaces), then the server."""
        limit = raise_file_limit()
        if limit < _FEW_FILES:
            print(f"warning: at most {limit} open files are allowed (ulimit -n); without more RabbitMQ stops answering")
        state = self._file.read()
        environment = self._environment(state)
        if state["epmd"] is None:
            command = ["epmd", "-address", LOOPBACK, "-port", str(state["epmd_port"])]
            state["epmd"] = Process.spawn(command, environment, self._directory / "log" / "epmd.log").record()
            self._file.write(**state)
        # -noinput with RABBITMQ_ALLOW_INPUT: the script then becomes the server instead of supervising it.
        server = Process.spawn([str(Path(state["scripts"]) / "rabbitmq-server"), "-noinput"], environment, self.log)
        self._file.write(**state, server=server.record())
        return server

    def _environment(self, state: Mapping[str, Any]) -> dict[str, str]:
        home = self._directory
        loopback = f"-kernel inet_dist_use_interface {{{LOOPBACK.replace('.', ',')}}}"
        return inherited("RABBITMQ_", "ERL_") | {
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": str(state["epmd_port"]),
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_NODENAME": state["node"],
            "RABBITMQ_DIST_PORT": str(state["distribution"]),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_LOGS": str(self.log),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "generated"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(home / "feature_flags"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            # Nothing of the system's own node: no further files, no file of variables.
            "RABBITMQ_CONFIG_FILES": str(home / "none"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "none" / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "none" / "rabbitmq-env.conf"),
            # An application of the management plugin does not end when asked to; the default gives it 10 s.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": " ".join(
                [loopback, "-kernel shutdown_timeout 2000", FAST_COUNTS if self._fast_counts else ""]
            ),
            "RABBITMQ_CTL_ERL_ARGS": loopback,
        }

    def _configuration(self, state: Mapping[str, Any]) -> str:
        return (
            f"listeners.tcp.default = {LOOPBACK}:{state['port']}\n"
            f"management.tcp.ip = {LOOPBACK}\n"
            f"management.tcp.port = {state['management']}\n"
            f"load_definitions = {self._directory / 'definitions.json'}\n"
            f"vm_memory_high_watermark.relative = {_WATERMARK}\n"
            f"max_message_size = {_MOST_BYTES}\n"
        )

    def _ready(self) -> bool:
        return _speaks_amqp(self.port) and self.management.ready()


def _find() -> Path | None:
    candidates = [_DEBIAN]
    on_path = shutil.which("rabbitmq-server")
    if on_path:
        candidates.append(Path(on_path).resolve().parent)
    return next((place for place in candidates if (place / "rabbitmq-env").exists()), None)


def _definitions(user: str, password: str) -> dict[str, Any]:
    """Return the definitions loaded at every start: the account gets the given password, and there is no guest."""
    salt = secrets.token_bytes(4)
    digest = base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
    account = {"name": user, "password_hash": digest, "hashing_algorithm": "rabbit_password_hashing_sha256"}
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return {
        "users": [account | {"tags": "administrator"}],
        "vhosts": [{"name": "/"}],
        "permissions": [{"user": user, "vhost": "/"} | everything],
    }


def _speaks_amqp(port: int) -> bool:
    """Whether the protocol header is answered with a method frame on channel 0, that is Connection.Start."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(3) == b"\x01\x00\x00"
    except OSError:
        return False
