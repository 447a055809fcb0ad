"""Exits 0 when a GET of PORT and PATH on loopback is answered with 200 within 4 seconds, else 1 with what came instead.

It is the images' health check, started every few seconds in each container. A request of one line over a socket takes a
third of the processor time that the standard library's HTTP client needs to be imported, and the image needs no curl.
"""

import socket
import sys

TIMEOUT_SECONDS = 4
MAX_ANSWER = 1_000


def main(port: str, path: str) -> str | None:
    """None for a 200, else what came instead."""
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=TIMEOUT_SECONDS) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            answer = connection.makefile("rb").read(MAX_ANSWER)
    except OSError as failure:
        return f"port {port}: {failure}"
    status = answer.split(maxsplit=2)[1:2]
    return None if status == [b"200"] else answer.decode(errors="replace") or f"port {port}: an empty answer"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
