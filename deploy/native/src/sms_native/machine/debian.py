"""Missing system packages: installs them where that is allowed, else says what to do."""

import os
import shutil
import subprocess

from sms_native.machine.processes import NativeError
from sms_native.settings import inherited

_MINUTES_10 = 600


def install(package: str, instead: str, *, allowed: bool) -> None:
    """Install a Debian package. Raises NativeError, with the advice `instead`, if that is not possible."""
    command = f"apt-get update && apt-get install -y {package}"
    if not allowed:
        raise NativeError(f"{package} is missing and SMS_INSTALL=0 forbids installing it. Run: {command}. {instead}")
    if shutil.which("apt-get") is None:
        raise NativeError(f"{package} is missing and this system has no apt-get. {instead}")
    privilege = _privilege()
    if privilege is None:
        raise NativeError(f"{package} is missing. Run as root: {command}. {instead}")
    print(f"installing {package} ({command})", flush=True)
    _run([*privilege, "apt-get", "-o", "DPkg::Lock::Timeout=120", "-qq", "update"], instead, tolerate=True)
    _run([*privilege, "apt-get", "-o", "DPkg::Lock::Timeout=120", "-qq", "-y", "install", package], instead)


def _privilege() -> list[str] | None:
    """Return the prefix for a command that needs root, or None if that would ask for a password."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:  # noqa: S603 - fixed command
        return [sudo, "-n"]
    return None


def _run(command: list[str], instead: str, *, tolerate: bool = False) -> None:
    environment = inherited() | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(  # noqa: S603 - fixed commands and package names of this module's callers
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_MINUTES_10,
        check=False,
    )
    if done.returncode and not tolerate:  # an update that failed for one of many sources may still serve
        raise NativeError(f"`{' '.join(command)}` failed. {instead}\n{done.stderr.strip()[-2000:]}")
