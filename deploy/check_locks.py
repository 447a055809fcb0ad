"""Whether the locks fit the pyproject files, told without a network: names, versions, hashes, no place to load from.

    python deploy/check_locks.py PACKAGE...

Exits 1 after naming everything that is wrong; `make lock` mends it.
"""

import re
import sys
import tomllib
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?P<rest>.*)$")


def read_lock(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return the pinned versions by name, and what is wrong with the lock itself."""
    versions: dict[str, str] = {}
    wrong: list[str] = []
    text = path.read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if "://" in line or line.startswith("-"):
            wrong.append(f"{path}: names a place to download from: {line}")
        elif found := _PIN.match(line):
            versions[canonicalize_name(found["name"])] = found["version"]
            if "--hash=sha256:" not in found["rest"]:
                wrong.append(f"{path}: {found['name']} has no hash")
        elif line.strip() and not line.startswith("#"):
            wrong.append(f"{path}: not a pinned version: {line}")
    return versions, wrong


def unmet(requirements: Iterable[str], versions: dict[str, str], own: Container[str], lock: str) -> Iterator[str]:
    """Name every requirement that the lock does not meet."""
    for requirement in map(Requirement, requirements):
        name = canonicalize_name(requirement.name)
        if name in own:
            continue
        if name not in versions:
            yield f"{lock}: {requirement.name} is missing"
        elif not requirement.specifier.contains(versions[name], prereleases=True):
            yield f"{lock}: {requirement.name} is {versions[name]}, asked for is {requirement.specifier}"


def problems(packages: Iterable[Path]) -> Iterator[str]:
    """Name everything that is wrong with the three locks."""
    projects = [tomllib.loads((package / "pyproject.toml").read_text())["project"] for package in packages]
    groups = tomllib.loads(Path("pyproject.toml").read_text())["dependency-groups"]
    own = {canonicalize_name(project["name"]) for project in projects}
    runtime = [requirement for project in projects for requirement in project["dependencies"]]
    extras = [extra for project in projects for extra in project.get("optional-dependencies", {}).values()]
    runtime += [requirement for extra in extras for requirement in extra]
    asked = {
        "requirements.lock": runtime,
        "requirements-build.lock": groups["build"],
        "requirements-dev.lock": [*runtime, *groups["build"], *groups["dev"]],
    }
    locked: dict[str, dict[str, str]] = {}
    for lock, requirements in asked.items():
        locked[lock], wrong = read_lock(Path(lock))
        yield from wrong
        yield from unmet(requirements, locked[lock], own, lock)
    development = locked["requirements-dev.lock"]
    for lock in ("requirements.lock", "requirements-build.lock"):
        for name, version in locked[lock].items():
            if development.get(name) != version:
                yield f"{lock}: {name} is {version}, in requirements-dev.lock it is {development.get(name, 'missing')}"


def main() -> int:
    """Print what is wrong; return the exit status."""
    found = sorted(set(problems(map(Path, sys.argv[1:]))))
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
