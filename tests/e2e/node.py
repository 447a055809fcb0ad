"""Node.js for a test: found or installed, with the packages of one locked package.json in a directory that is kept."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from sms_native.machine import debian
from sms_native.machine.processes import NativeError, only_one
from sms_native.settings import NativeSettings

_NO_NETWORK = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH", "network")


def project(source: Path, settings: NativeSettings) -> Path:
    """Return a directory with the files of `source` and its packages, in which `node` can run them.

    Blocks for some seconds the first time. Skips the test, saying why, where Node.js or its packages cannot be had.
    """
    _install_node(settings)
    files = [path for path in source.iterdir() if path.suffix in {".mjs", ".json"}]
    locked = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()[:16]
    directory = settings.run_directory / "node" / locked
    with only_one(directory):
        for path in files:
            shutil.copy(path, directory)
        if not (directory / "node_modules" / ".package-lock.json").exists():
            _install_packages(directory)
    return directory


def _install_node(settings: NativeSettings) -> None:
    if shutil.which("node") and shutil.which("npm"):
        return
    try:
        for package in ("nodejs", "npm"):
            debian.install(package, "This test needs Node.js.", allowed=settings.may_install)
    except NativeError as error:
        pytest.skip(str(error))


def _install_packages(directory: Path) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    npm = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if npm.returncode:
        shutil.rmtree(directory / "node_modules", ignore_errors=True)
        said = f"{npm.stdout}{npm.stderr}".strip()
        if any(word in said for word in _NO_NETWORK):
            pytest.skip(f"npm cannot reach its packages: {said[-300:]}")
        pytest.fail(f"npm ci failed:\n{said}")
