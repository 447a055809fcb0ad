"""A private MongoDB: a replica set of one node, its data in one directory, on loopback only, with a password."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from sms_native.engines import mongod
from sms_native.machine.ports import LOOPBACK, choose
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

if TYPE_CHECKING:
    from pymongo import MongoClient

_SET = "rs0"
_WRONG_PASSWORD = 18
_CACHE_GB = "0.25"
"""The least that mongod accepts for its cache; left alone it takes half the machine's memory."""


def drop_database(url: str, name: str) -> None:
    """Delete a database of the MongoDB at `url`; does nothing if there is none."""
    from pymongo import MongoClient  # noqa: PLC0415 - loads the driver only where it is needed

    with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=5000) as client:
        client.drop_database(name)


class MongoNode:
    """One node in `directory`, run with the program in `cache`. Port 0: that of the last start, or any free one."""

    def __init__(self, directory: Path, *, cache: Path, user: str, password: str, port: int = 0) -> None:
        self._directory = directory.absolute()
        self._cache = cache
        self._user = user
        self._password = password
        self._wanted_port = port
        self._file = StateFile(self._directory / "node.json")

    @classmethod
    def temporary(cls, directory: Path, cache: Path) -> Self:
        """Make a node for tests: any free port, random password."""
        return cls(directory, cache=cache, user="test", password=secrets.token_hex(8))

    def start(self, *, may_install: bool = True, seconds: float = 60) -> None:
        """Start the node unless it runs, and wait until it is primary and accepts a majority write.

        Raises NativeError if the program cannot be downloaded, the port is taken, the data have another password, or
        the node is not ready within `seconds`.
        """
        program = mongod.find_or_download(self._cache, may_install=may_install)
        with only_one(self._directory):
            server = self._server()
            if server is None:
                port = choose(self._wanted_port, self._file.read().get("port"))
                server = self._spawn(str(program), port)
            try:
                until(self._is_primary, server, self.log, seconds)
                self._write_once()
            except NativeError as error:
                raise NativeError(f"MongoDB: {error}") from error

    def stop(self, seconds: float = 30) -> None:
        """Shut the node down; its data stay. Does nothing if it does not run."""
        with only_one(self._directory):
            server = self._server()
            if server is not None:
                server.stop(seconds)

    def kill(self) -> None:
        """Kill the node, like a power cut; `start` brings it back with its data."""
        server = self._server()
        if server is not None:
            server.kill()

    def remove(self) -> None:
        """Kill the node and delete its data."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self._server() is not None

    @property
    def log(self) -> Path:
        """The server's log."""
        return self._directory / "mongod.log"

    @property
    def port(self) -> int:
        """The port. Raises NativeError before the first start."""
        port = self._file.read().get("port")
        if port is None:
            raise NativeError(f"MongoDB was never started in {self._directory}")
        return int(port)

    @property
    def url(self) -> str:
        """The URL with user and password, for a client that knows replica sets."""
        account = f"{quote(self._user, safe='')}:{quote(self._password, safe='')}"
        return f"mongodb://{account}@{LOOPBACK}:{self.port}/?replicaSet={_SET}&authSource=admin"

    def _server(self) -> Process | None:
        server = Process.from_record(self._file.read().get("server"))
        return server if server is not None and server.alive else None

    def _spawn(self, program: str, port: int) -> Process:
        data, key = self._directory / "data", self._directory / "key"
        data.mkdir(exist_ok=True)
        if not key.exists():  # members of a replica set with passwords authenticate by it, even a single member
            write_private(key, secrets.token_hex(48))
        raise_file_limit()
        command = [program, "--replSet", _SET, "--bind_ip", LOOPBACK, "--port", str(port), "--dbpath", str(data)]
        command += ["--keyFile", str(key), "--nounixsocket", "--wiredTigerCacheSizeGB", _CACHE_GB]
        command += [
            "--logpath",
            str(self.log),
            "--logappend",
            "--setParameter",
            "diagnosticDataCollectionEnabled=false",
        ]
        server = Process.spawn(command, inherited(), self._directory / "output.log")
        self._file.write(port=port, server=server.record())
        return server

    def _is_primary(self) -> bool:
        """Whether the node accepts writes. Makes what is missing for that: the replica set, its address, the user."""
        from pymongo.errors import OperationFailure, PyMongoError  # noqa: PLC0415 - loads the driver only where it is needed

        try:
            with self._client(anonymous=True) as client:
                hello = client.admin.command("hello")
                if hello.get("isWritablePrimary"):
                    self._make_first_user(client)
                    return True
                if not hello.get("setName"):
                    self._form_set(client)
        except OperationFailure as error:
            raise NativeError(str(error)) from error
        except PyMongoError:
            return False
        return False

    def _form_set(self, client: "MongoClient[dict[str, Any]]") -> None:
        """Initiate the replica set, or, if the port has changed, update the address of its only member."""
        from pymongo.errors import OperationFailure  # noqa: PLC0415 - as in _is_primary

        members = [{"_id": 0, "host": f"{LOOPBACK}:{self.port}"}]
        try:
            client.admin.command("replSetInitiate", {"_id": _SET, "members": members})
        except OperationFailure:
            with self._client() as known:
                config = known.admin.command("replSetGetConfig")["config"]
                config |= {"members": [config["members"][0] | members[0]], "version": config["version"] + 1}
                known.admin.command("replSetReconfig", config, force=True)

    def _make_first_user(self, client: "MongoClient[dict[str, Any]]") -> None:
        """Make the first user. MongoDB allows this to a local client without log-in as long as there is no user."""
        from pymongo.errors import OperationFailure  # noqa: PLC0415 - as in _is_primary

        with suppress(OperationFailure):  # there is a user already; the next write shows whether it has this password
            client.admin.command("createUser", self._user, pwd=self._password, roles=["root"])

    def _write_once(self) -> None:
        from pymongo import WriteConcern  # noqa: PLC0415 - as in _is_primary
        from pymongo.errors import OperationFailure  # noqa: PLC0415

        try:
            with self._client() as client:
                ready = client["sms_native"].get_collection("ready", write_concern=WriteConcern("majority"))
                ready.replace_one({"_id": "ready"}, {"_id": "ready"}, upsert=True)
        except OperationFailure as error:
            if error.code == _WRONG_PASSWORD:
                raise NativeError(
                    f"the data in {self._directory} were made with another password than the one given"
                ) from error
            raise NativeError(str(error)) from error

    @contextmanager
    def _client(self, *, anonymous: bool = False) -> "Iterator[MongoClient[dict[str, Any]]]":
        """Open a client of this node, whatever the state of its replica set."""
        from pymongo import MongoClient  # noqa: PLC0415 - as in _is_primary

        account: dict[str, Any] = {} if anonymous else {"username": self._user, "password": self._password}
        client: MongoClient[dict[str, Any]] = MongoClient(
            LOOPBACK, self.port, directConnection=True, serverSelectionTimeoutMS=1000, **account
        )
        try:
            yield client
        finally:
            client.close()
