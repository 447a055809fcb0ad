import os
import subprocess
from collections.abc import AsyncIterator, Generator, Iterator

import aiohttp
import pytest

from tests.compose.gateway import PASSWORD, Api, Gateway, World
from tests.compose.stack import Stack, compose_command, made_up_environment

BUILD_SECONDS = 900
TENANT = "acme"
DID = "+12015550100"
CREDENTIALS = {
    "account_id": "9900001",
    "application_id": "93de2206-9669-4e07-948d-329f4b722ee2",
    "api_token": "made-up-client",
    "api_secret": "made-up-secret",
}


_FIGURES = pytest.StashKey[list[str]]()
_LOG = pytest.StashKey[str]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These tests need what deploy/compose-test.sh prepares; without it they are skipped."""
    if "COMPOSE" not in os.environ:
        for item in items:
            if item.get_closest_marker("compose"):
                item.add_marker(pytest.mark.skip(reason="run `make test-compose`"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put into the report of a failure what the containers had logged by then."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and stack is not None:
        report.sections.append(("logged by the containers", stack.log()))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show why the containers did not come up, if so, and what was measured."""
    for line in config.stash.get(_LOG, "").splitlines():
        terminalreporter.write_line(line)
    for line in config.stash.get(_FIGURES, []):
        terminalreporter.write_line(f"measured: {line}")


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> list[str]:
    """Lines to show at the end."""
    return pytestconfig.stash.setdefault(_FIGURES, [])


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest, figures: list[str]
) -> Iterator[Stack]:
    """The whole stack, built, up and healthy; gone with its data afterwards."""
    project = os.environ.get("COMPOSE_PROJECT_NAME", f"sms-test-{os.getpid()}")
    stack = Stack(project, made_up_environment(), tmp_path_factory.mktemp("compose"))
    try:
        stack.compose("build", seconds=BUILD_SECONDS)
        figures.append(f"ready {_up(stack, request.config):.0f} s after up ({' '.join(compose_command())})")
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "20")


def _up(stack: Stack, config: pytest.Config) -> float:
    try:
        return stack.up()
    except (TimeoutError, subprocess.SubprocessError):
        config.stash[_LOG] = stack.log()
        raise


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90)) as session:
        yield session


@pytest.fixture(scope="module")
def objects() -> list[str]:
    """The addresses of what the administrator made in this stack, trunk and tenant first."""
    return []


@pytest.fixture
async def gateway(stack: Stack, http: aiohttp.ClientSession, objects: list[str]) -> Gateway:
    """One tenant with a trunk and an SMS configuration towards the simulator, made when the first test asks."""
    values = stack.environment
    configuration = Api(http, f"http://127.0.0.1:{values['CONFIG_PORT']}", values["CONFIG_BOOTSTRAP_API_KEY"])
    simulator = Api(http, f"http://127.0.0.1:{values['SIMULATOR_PORT']}", values["SIMULATOR_CONTROL_TOKEN"])
    new = not objects
    if new:
        objects += await _configure(configuration)
    config = await configuration.call("GET", objects[-1])
    world = World(simulator, config, [DID], CREDENTIALS)
    await world.exist()
    amqp_url = f"amqp://sms:{values['RABBITMQ_PASSWORD']}@127.0.0.1:{values['AMQP_PORT']}/"
    gateway = Gateway(stack, http, configuration, world, tuple(objects), amqp_url, TENANT, DID)
    if new:
        async with gateway.pbx() as pbx:
            await pbx.until_configured(TENANT)
    return gateway


async def _configure(api: Api) -> list[str]:
    """Make a tenant, its trunk and its SMS configuration; their addresses."""
    tenant = await api.call("POST", "/api/v1/tenants", {"id": TENANT, "name": "Acme", "country": "US"})
    trunk = await api.call(
        "POST",
        "/api/v1/trunks",
        {"tenant_id": tenant["id"], "name": "Trunk", "brand": "Bandwidth", "dids": DID, "default_did": DID},
    )
    sms = await api.call(
        "POST",
        "/api/v1/sms",
        {
            "name": "Texts",
            "provider_id": trunk["id"],
            "credentials": CREDENTIALS,
            "callback": {"username": "bandwidth", "password": PASSWORD},
        },
    )
    return [f"/api/v1/tenants/{tenant['id']}", f"/api/v1/trunks/{trunk['id']}", f"/api/v1/sms/{sms['id']}"]
