"""The config service as a process, with a message history of its own making, for a browser to look at."""

import json
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

from sms_config.model.keyring import new_entry
from sms_native.machine.ports import LOOPBACK, free_port
from tests.stack import Database

_PATIENCE = 30.0


class Served:
    """A running config service: its address, what it prints, and its API by the bootstrap key."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, key: str, amqp_url: str) -> None:
        self.url = url
        self.amqp_url = amqp_url
        self._process = process
        self._key = key
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    @classmethod
    @contextmanager
    def running(
        cls, amqp_url: str, database: Database, history_url: str, *, module: str = "sms_config", **settings: str
    ) -> Iterator[Self]:
        port, key = free_port(), secrets.token_urlsafe(24)
        given = {
            "AMQP_URL": amqp_url,
            "MONGO_URL": database.url,
            "MONGO_DATABASE": database.name,
            "PUBLIC_URL": "https://sms.example.com",
            "BOOTSTRAP_API_KEY": key,
            "INGRESS_TOKEN": secrets.token_urlsafe(24),
            "DISPATCHER_TOKEN": secrets.token_urlsafe(24),
            "DISPATCHER_URL": history_url,
            "DISPATCHER_READ_TOKEN": "token-of-the-read-api",
            "KEY_RING": new_entry("k1"),
            "PORT": str(port),
            "LOG_FORMAT": "json",
            **settings,
        }
        environment = {**os.environ, **{f"CONFIG_{name}": value for name, value in given.items()}}
        command = [sys.executable, "-m", module]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                yield cls(process, f"http://{LOOPBACK}:{port}", key, amqp_url)
            finally:
                process.terminate()
                process.wait(_PATIENCE)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))

    def says(self, *words: str) -> str:
        """The next line that holds all the words."""
        while True:
            line = self._lines.get(timeout=_PATIENCE)
            if all(word in line for word in words):
                return line

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Call the REST API and expect that it works."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        request = Request(f"{self.url}/api/v1/{path}", data, headers, method=method)  # our own address
        try:
            with urlopen(request, timeout=_PATIENCE) as answer:
                text = answer.read()
        except (HTTPError, URLError) as error:
            raise AssertionError(error.read() if isinstance(error, HTTPError) else error) from error
        return json.loads(text) if text else None

    def until(self, path: str, holds: Callable[[Any], bool]) -> None:
        """Ask the API until its answer holds, for what only asking can tell."""
        deadline = time.monotonic() + _PATIENCE
        while not holds(answer := self.api("GET", path)):
            assert time.monotonic() < deadline, f"it is still {answer!r}"
            time.sleep(0.05)


@contextmanager
def dispatcher(messages: Mapping[str, Mapping[str, Any]], explained: Mapping[str, Any]) -> Iterator[str]:
    """Stand in for the dispatcher's internal API with these messages by their id, and with an explanation for each
    direction; the address.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(place.query).items()}
            if place.path == "/api/v1/messages":
                found = [message for message in messages.values() if _matches(message, asked)]
                self._answer(200, {"count": len(found), "items": found[: int(asked["top"])]})
            elif (message := messages.get(place.path.rpartition("/")[2])) is not None:
                self._answer(200, message)
            else:
                self._answer(404, {"code": "not_found", "message": "", "errors": []})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(200, explained[self.path.rpartition("/")[2]])

        def _answer(self, status: int, body: Any) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _matches(message: Mapping[str, Any], asked: Mapping[str, str]) -> bool:
    same = all(asked.get(name, message[name]) == message[name] for name in ("tenant_id", "status", "direction"))
    numbers = {message["sender"], *message["recipients"]}
    return same and asked.get("number", message["sender"]) in numbers and "config_id" not in asked
