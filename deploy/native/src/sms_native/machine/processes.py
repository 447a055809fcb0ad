"""Processes that outlive the command that started them: start, recognise, stop."""

import contextlib
import fcntl
import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

_POLL = 0.05
_ENOUGH_FILES = 65_536


class NativeError(Exception):
    """Something on this machine prevents the command; the text says what, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process, identified by its number and its start time: a later process may have the same number."""

    pid: int
    born: int
    """Clock ticks between the machine's boot and the start of the process."""

    @classmethod
    def spawn(cls, command: list[str], environment: Mapping[str, str], log: Path) -> Self:
        """Start `command` in its own session, so that a Ctrl-C here does not stop it; its output is appended to `log`.

        Raises NativeError if the program cannot be started.
        """
        output = (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        files = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), output, (os.POSIX_SPAWN_DUP2, 1, 2)]
        try:
            pid = os.posix_spawnp(command[0], command, environment, file_actions=files, setsid=True)
        except OSError as error:
            raise NativeError(f"{command[0]} cannot be started: {error.strerror}") from error
        return cls.running(pid)

    @classmethod
    def running(cls, pid: int) -> Self:
        """Return the process that has this number now."""
        return cls(pid=pid, born=_born(pid) or 0)

    @classmethod
    def running_now(cls) -> Self:
        """Return the calling process."""
        return cls.running(os.getpid())

    @classmethod
    def from_record(cls, record: Mapping[str, int] | None) -> Self | None:
        """Return the process of a `record`, or None."""
        return cls(pid=record["pid"], born=record["born"]) if record else None

    def record(self) -> dict[str, int]:
        """Plain values for a file."""
        return asdict(self)

    @property
    def alive(self) -> bool:
        """Whether this process still runs."""
        with contextlib.suppress(ChildProcessError):  # not our child: another command started it
            os.waitpid(self.pid, os.WNOHANG)
        return self.born != 0 and _born(self.pid) == self.born

    def stop(self, seconds: float) -> None:
        """Ask it to end and wait up to `seconds`; then kill it and everything in its session."""
        if self.alive:
            self._send(signal.SIGTERM, os.kill)
            if not self.wait(seconds):
                self.kill()

    def kill(self) -> None:
        """Kill it and everything in its session, and return when it has ended."""
        if self.alive:
            self._send(signal.SIGKILL, os.killpg)
            self.wait(10)

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds` for it to end; return whether it has."""
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
        return True

    def _send(self, number: signal.Signals, how: Callable[[int, int], None]) -> None:
        with contextlib.suppress(ProcessLookupError):
            how(self.pid, number)


def _born(pid: int) -> int | None:
    """The start of the process `pid` in clock ticks since boot; None if it does not exist or is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # proc(5): the fields from the third (the state) on follow the name in brackets, which may contain spaces.
    fields = stat.rpartition(")")[2].split()
    state, threads, born = fields[0], int(fields[17]), int(fields[19])
    # The first thread may be dead while others still have the ports open.
    return None if state in "ZX" and threads <= 1 else born


class StateFile:
    """A small JSON object on disk, replaced as a whole, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Any]:
        """Return what was last written; empty if nothing was, or if a crash of the machine made it unreadable."""
        try:
            state = json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def write(self, **values: Any) -> None:
        """Replace the object."""
        write_private(self._path, json.dumps(values, indent=1))

    def remove(self) -> None:
        """Delete the file, if there is one."""
        self._path.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)


@contextlib.contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Lock `directory`, which is made if missing, so that only one command at a time uses it; others wait."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def raise_file_limit() -> int:
    """Raise the limit of open files of this process and its children as far as the system permits; return the limit.

    RabbitMQ opens a file for every quorum queue and connection, and stops answering when it has reached the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    # The Erlang runtime closes every possible file one by one at its start, so a limit in the millions costs seconds.
    wanted = _ENOUGH_FILES if hard == unlimited else min(hard, _ENOUGH_FILES)
    if soft != unlimited and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return _ENOUGH_FILES if soft == unlimited else soft


def until(ready: Callable[[], bool], process: Process, log: Path, seconds: float) -> None:
    """Wait until `ready()`. Raises NativeError, with the end of `log`, if the process ends or the time is over."""
    deadline = time.monotonic() + seconds
    while not ready():
        if not process.alive:
            raise NativeError(f"it ended while starting; {log} ends with:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise NativeError(f"it is not ready after {seconds:.0f} s; {log} ends with:\n{tail(log)}")
        time.sleep(_POLL)


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a file, indented; nothing if there is no file."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
