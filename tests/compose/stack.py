"""The stack of docker-compose.yml in a project of its own: free ports, made-up secrets, nothing left behind."""

import base64
import json
import os
import secrets
import shlex
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sms_native.machine.ports import free_port, is_free

REPOSITORY = Path(__file__).parents[2]
DEMO_OPTIONS = {
    "bandwidth": {
        "messaging_url": "http://simulator:8090/api/v2",
        "token_url": "http://simulator:8090/api/v1/oauth2/token",
        "allow_insecure": True,
    }
}
DISPATCHERS = 3
MAX_LINE = 400
# What compose may know of this machine; anything else could stand in for a value that .env lacks.
_PASSED_ON = ("PATH", "HOME", "FILE_LIMIT")
_PASSED_PREFIXES = ("DOCKER_", "BUILD_", "XDG_")


@dataclass(frozen=True, slots=True)
class Container:
    """One container as the engine sees it now."""

    id: str
    service: str
    state: str
    health: str
    exit_code: int
    details: Mapping[str, object]

    @property
    def ready(self) -> bool:
        """Whether it is up and healthy, or is the one that has work at the start only and did it."""
        if self.service in {"mongo-init", "rabbitmq-init"}:
            return self.state == "exited" and self.exit_code == 0
        return self.state == "running" and self.health == "healthy"


def made_up_environment() -> dict[str, str]:
    """A complete .env with random secrets and free ports, for the simulator."""
    dispatcher = _free_range(DISPATCHERS)
    return {
        "RABBITMQ_PASSWORD": secrets.token_hex(16),
        # Ingress and a PBX as in a new .env; the others as in one from before they had passwords there.
        "RABBITMQ_INGRESS_PASSWORD": secrets.token_hex(16),
        "RABBITMQ_PBX_PASSWORDS": f"main:{secrets.token_hex(16)}",
        "MONGO_PASSWORD": secrets.token_hex(16),
        "MONGO_CONFIG_PASSWORD": secrets.token_hex(16),
        "MONGO_DISPATCHER_PASSWORD": secrets.token_hex(16),
        "MONGO_REPLICA_KEY": secrets.token_hex(32),
        "CONFIG_PUBLIC_URL": "http://ingress:8080",
        "CONFIG_BOOTSTRAP_API_KEY": secrets.token_urlsafe(32),
        "CONFIG_INGRESS_TOKEN": secrets.token_urlsafe(32),
        "CONFIG_DISPATCHER_TOKEN": secrets.token_urlsafe(32),
        "CONFIG_KEY_RING": "test:" + base64.b64encode(secrets.token_bytes(32)).decode(),
        "DISPATCHER_API_TOKEN": secrets.token_urlsafe(32),
        "DISPATCHER_CARRIER_OPTIONS": json.dumps(DEMO_OPTIONS),
        "SIMULATOR_CONTROL_TOKEN": secrets.token_urlsafe(32),
        "INGRESS_BIND": "127.0.0.1",
        "INGRESS_PORT": str(free_port()),
        "INGRESS_HEALTH_PORT": str(free_port()),
        "CONFIG_PORT": str(free_port()),
        "DISPATCHER_PORTS": f"{dispatcher}-{dispatcher + DISPATCHERS - 1}",
        "AMQP_PORT": str(free_port()),
        "RABBITMQ_MANAGEMENT_PORT": str(free_port()),
        "RABBITMQ_METRICS_PORT": str(free_port()),
        "SIMULATOR_PORT": str(free_port()),
    }


def _free_range(count: int) -> int:
    while True:
        first = free_port()
        if all(is_free(port) for port in range(first, first + count)):
            return first


class Stack:
    """One compose project; `environment` is what its .env says."""

    def __init__(self, project: str, environment: Mapping[str, str], directory: Path) -> None:
        self.project = project
        self.environment = dict(environment)
        self._env_file = directory / "env"
        self.write(self.environment)

    def write(self, environment: Mapping[str, str]) -> None:
        """Replace the .env that the next command reads."""
        self._env_file.write_text("".join(f"{name}={value}\n" for name, value in environment.items()))

    def compose(self, *arguments: str, seconds: float = 120) -> str:
        """Run a compose command with the profile demo; what it prints. Raises CalledProcessError with its output."""
        command = [*compose_command(), "--project-name", self.project, "--env-file", str(self._env_file)]
        return _run([*command, "--profile", "demo", *arguments], seconds)

    def up(self, *arguments: str, seconds: float = 120) -> float:
        """Start, or bring up to date, and wait until every container is ready; the seconds that took."""
        begun = time.monotonic()
        self.compose("up", "--detach", *arguments, seconds=seconds)
        self.wait_ready(seconds)
        return time.monotonic() - begun

    def wait_ready(self, seconds: float = 120) -> None:
        """Return when every container is ready. Raises TimeoutError naming those that are not."""
        deadline = time.monotonic() + seconds
        while waiting := [c for c in self.containers() if not c.ready]:
            if time.monotonic() > deadline:
                raise TimeoutError(", ".join(f"{c.service}: {c.state} {c.health}" for c in waiting))
            time.sleep(0.5)

    def containers(self, service: str | None = None) -> list[Container]:
        """The project's containers, or those of one service."""
        label = "com.docker.compose"
        wanted = [f"label={label}.project={self.project}"] + ([f"label={label}.service={service}"] if service else [])
        filters = [part for item in wanted for part in ("--filter", item)]
        ids = docker("ps", "--all", "--quiet", *filters).split()
        return [_container(details) for details in json.loads(docker("inspect", *ids))] if ids else []

    def consumers(self) -> Counter[str]:
        """How many consumers each of RabbitMQ's queues has now."""
        (rabbitmq,) = self.containers("rabbitmq")
        return Counter(
            docker("exec", rabbitmq.id, "rabbitmqctl", "--silent", "list_consumers", "queue_name").splitlines()
        )

    def dispatcher_ports(self) -> Iterator[int]:
        """The host's ports of the dispatchers that run."""
        for container in self.containers("dispatcher"):
            yield int(docker("port", container.id, "8082").rpartition(":")[2])

    def log(self) -> str:
        """The end of what every container logged; the services' own is longer, and last."""
        stores, services = (
            ("mongo", "mongo-init", "rabbitmq", "rabbitmq-init"),
            ("config", "simulator", "ingress", "dispatcher"),
        )
        parts = (
            self.compose("logs", "--no-color", f"--tail={n}", *names) for n, names in ((10, stores), (60, services))
        )
        return "\n".join(line[:MAX_LINE] for part in parts for line in part.splitlines())


def compose_command() -> list[str]:
    """How compose is called here: `docker compose` or `docker-compose`."""
    return shlex.split(os.environ["COMPOSE"])


def docker(*arguments: str) -> str:
    """Run a docker command; what it prints. Raises CalledProcessError."""
    return _run(["docker", *arguments], 60)


def _run(command: list[str], seconds: float) -> str:
    kept = {n: v for n, v in os.environ.items() if n in _PASSED_ON or n.startswith(_PASSED_PREFIXES)}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=kept, capture_output=True, text=True, timeout=seconds, check=False
    )
    if done.returncode:
        error = subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        error.add_note(f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        raise error
    return done.stdout


def _container(details: Mapping[str, object]) -> Container:
    match details:
        case {
            "Id": str(number),
            "State": {"Status": str(state), "ExitCode": int(code), **rest},
            "Config": {"Labels": {"com.docker.compose.service": str(service)}},
        }:
            health = rest.get("Health")
            status = health["Status"] if isinstance(health, dict) else "none"
            return Container(number, service, state, status, code, details)
    raise ValueError("docker inspect answers in an unknown form")
