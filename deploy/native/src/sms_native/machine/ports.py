"""Ports on loopback: which are free, and which to take."""

import errno
import random
import socket
from pathlib import Path

from sms_native.machine.processes import NativeError

LOOPBACK = "127.0.0.1"
_LOWEST = 15_000
_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def free_port() -> int:
    """Find a free port that the system does not hand out to outgoing connections.

    The system could give a port of that range to a client between the kill and the restart of its server. A client that
    keeps trying to connect to it may even get it as its own port, and so connect to itself.
    """
    highest = _first_outgoing() - 1
    for _ in range(200):
        port = random.SystemRandom().randint(_LOWEST, highest)
        if is_free(port):
            return port
    raise NativeError(f"no free port was found between {_LOWEST} and {highest}")


def choose(wanted: int, remembered: int | None) -> int:
    """Return the port to listen on: `wanted`, or if that is 0 the remembered one if it is free, or any free one.

    Raises NativeError if `wanted` is taken.
    """
    if wanted:
        if not is_free(wanted):
            raise NativeError(f"port {wanted} is in use by another program")
        return wanted
    return remembered if remembered and is_free(remembered) else free_port()


def _first_outgoing() -> int:
    try:
        first = int(_OUTGOING.read_text().split()[0])
    except (OSError, ValueError):
        return 32_768
    return first if first > _LOWEST + 1000 else 65_536
