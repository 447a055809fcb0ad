# ruff: noqa: INP001  # a script that is copied into the image, in no package
"""Exits 0 when the URL given as the only argument answers 200 within 4 seconds, else 1 with a line that says why.

It is the images' health check, started every few seconds: only the standard library's smallest client, so that a start
takes milliseconds, and no shell or curl is needed in the image.
"""

import http.client
import sys
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 4


def main(url: str) -> str | None:
    """None for a 200, else what came instead."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path)
        response = connection.getresponse()
        body = response.read(1_000)
    except (OSError, http.client.HTTPException) as failure:
        return f"{url}: {failure}"
    finally:
        connection.close()
    return None if response.status == http.client.OK else f"{url}: {response.status} {body.decode(errors='replace')}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
