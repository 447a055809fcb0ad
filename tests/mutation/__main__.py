"""Counts how many mistakes the tests notice: `python -m tests.mutation [TARGET ...] [--jobs N]`.

Each mutant is tried in a child of this process, which has loaded the libraries once, with the mutated module in place
of the real one. A mutant is killed when the tests fail or do not end.
"""

import argparse
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from tests.mutation.operators import Mutant, mutants
from tests.mutation.targets import EQUIVALENT, TARGETS, Target

LEAST = 85
"""Per cent of the mutants that have to be noticed."""
_PATIENCE = 60.0
_LIBRARIES = (
    "pydantic",
    "pydantic_settings",
    "aiohttp",
    "aio_pika",
    "motor.motor_asyncio",
    "phonenumbers",
    "structlog",
)


@dataclass(frozen=True, slots=True)
class Tried:
    """A mutant of a module, and whether it was noticed."""

    module: str
    mutant: Mutant
    killed: bool


class _Replacing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another content."""

    def __init__(self, module: str, source: str, path: str) -> None:
        self._module = module
        self._path = path
        self._code: CodeType = compile(source, path, "exec")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)  # it is the module's own code, a little wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants tried at a time")
    given = parser.parse_args()
    unknown = set(given.targets) - TARGETS.keys()
    if unknown:
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    os.nice(5)
    for library in _LIBRARIES:
        importlib.import_module(library)
    weak = [name for name in given.targets or TARGETS if not _is_tested(name, TARGETS[name], given.jobs)]
    return 1 if weak else 0


def _is_tested(name: str, target: Target, jobs: int) -> bool:
    """Try every mutant of a target, say what survived, and whether enough were noticed."""
    began = time.monotonic()
    if _in_child(lambda: _run(target.tests)).wait() != 0:
        print(f"{name}: the tests fail without any mistake; nothing can be said", flush=True)
        return False
    todo = [(module, mutant) for module in target.modules for mutant in _mutants(module)]
    tried = _try_all(todo, target.tests, jobs)
    killed = sum(one.killed for one in tried)
    share = 100 * killed / len(tried)
    print(f"{name}: {killed} of {len(tried)} noticed, {share:.1f} % ({time.monotonic() - began:.0f} s)")
    for one in tried:
        if not one.killed:
            print(f"    survived: {one.module}:{one.mutant.line} {one.mutant.what}")
    sys.stdout.flush()
    return share >= LEAST


def _mutants(module: str) -> list[Mutant]:
    source = Path(_path_of(module)).read_text()
    return [mutant for mutant in mutants(source) if (module, mutant.what) not in EQUIVALENT]


def _path_of(module: str) -> str:
    """Where a module's source is. Its packages are not loaded for that, since they may load it themselves."""
    package, _, rest = module.partition(".")
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return str(Path(spec.submodule_search_locations[0], *rest.split(".")).with_suffix(".py"))


def _try_all(todo: list[tuple[str, Mutant]], tests: tuple[str, ...], jobs: int) -> list[Tried]:
    tried: list[Tried] = []
    for start in range(0, len(todo), jobs):
        batch = todo[start : start + jobs]
        children = [_in_child(_with(module, mutant, tests)) for module, mutant in batch]
        for (module, mutant), child in zip(batch, children, strict=True):
            tried.append(Tried(module, mutant, child.wait() != 0))
    return tried


def _with(module: str, mutant: Mutant, tests: tuple[str, ...]) -> Callable[[], int]:
    def work() -> int:
        sys.meta_path.insert(0, _Replacing(module, mutant.source, _path_of(module)))
        return _run(tests)

    return work


def _run(tests: tuple[str, ...]) -> int:
    quiet = ["-q", "-x", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-p", "no:cov"]
    return int(pytest.main([*quiet, *tests]))


class _Child:
    """One forked process that ends with a status."""

    def __init__(self, pid: int, reading: int) -> None:
        self._pid = pid
        self._reading = reading

    def wait(self) -> int:
        """Its exit status; not 0 when it was ended for want of an end."""
        ended, _, _ = select.select([self._reading], [], [], _PATIENCE)
        if not ended:
            os.kill(self._pid, signal.SIGKILL)
        os.close(self._reading)
        _, status = os.waitpid(self._pid, 0)
        return status


def _in_child(work: Callable[[], int]) -> _Child:
    """Do `work` in a copy of this process. The other end of the pipe closes when it ends, however it ends."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return _Child(pid, reading)
    status = 70
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        status = work()
    finally:
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
