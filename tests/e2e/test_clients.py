"""The programs that the documentation shows run as they stand: what they print is what a PBX developer sees first."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from sms_native.settings import inherited
from tests.e2e import node
from tests.e2e.amqp import PATIENCE
from tests.e2e.customer import HANDSET, Customer

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
STATUSES = ("accepted", "submitted", "delivered")


class Program:
    """A program of the documentation while it runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said: list[str] = []

    @classmethod
    @asynccontextmanager
    async def running(
        cls, command: Sequence[str | Path], environment: Mapping[str, str], directory: Path = ROOT
    ) -> AsyncIterator["Program"]:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=directory,
            env={**inherited(), **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def says(self, *words: str) -> str:
        """The first line, from the beginning, that holds all the words. AssertionError shows everything it said."""
        for line in self._said:
            if all(word in line for word in words):
                return line
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                while line := (await self._process.stdout.readline()).decode():
                    self._said.append(line)
                    if all(word in line for word in words):
                        return line
        except TimeoutError:
            pass
        raise AssertionError(f"it did not say {words} but:\n{''.join(self._said)}")

    async def interrupted(self) -> int:
        """Ctrl-C, and its exit status."""
        self._process.send_signal(signal.SIGINT)
        return await self.ended()

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE):
            return await self._process.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(gateway) -> AsyncIterator[Customer]:
    """What `make up` makes: the tenant demo, whose PBX is main. Nobody else reads the queues of that PBX."""
    async with Customer.of(gateway, "demo", ["+12015550100"], pbx="main") as customer:
        pass
    yield customer


def snippet(language: str) -> str:
    """The program in this language that the README shows."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    program = next(program for program in found if "sms.outbound." in program)
    return str(program)


@pytest.mark.parametrize("language", ["python", "node"])
async def test_the_example_sends_a_text_tells_its_statuses_and_shows_a_text_that_comes_in(
    demo, native_settings, language
):
    gateway = demo.gateway
    directory = EXAMPLES if language == "python" else await asyncio.to_thread(node.project, EXAMPLES, native_settings)
    command = [sys.executable, "send.py"] if language == "python" else ["node", "send.mjs"]
    text = f"hello from the {language} example"
    gateway.keep_private(texts=[text])

    async with Program.running([*command, HANDSET, text], {"AMQP_URL": gateway.pbx_url}, directory) as program:
        for status in STATUSES:
            assert HANDSET in await program.says(f" {status} ")
        await demo.text_in(f"hello {language} example")
        await program.says(HANDSET, f"wrote to {demo.dids[0]}: hello {language} example")
        assert await program.interrupted() == 0

    [arrival] = [one for one in await arrivals(gateway) if one["text"] == text]
    assert (arrival["to"], arrival["from"]) == ([HANDSET], demo.dids[0])


def shell_blocks(page: str) -> list[str]:
    """The sh blocks of a page, as printed, without the indentation of a list that they stand in."""
    found = re.findall(r"^( *)```sh\n(.*?)^ *```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


async def test_the_shell_block_of_the_readme_connects_bandwidth_as_printed(gateway, tmp_path):
    (block,) = [block for block in shell_blocks("README.md") if "api /trunks" in block]
    here = block.replace("http://127.0.0.1:8081/", f"{gateway.url('config')}/")
    environment = {"KEY": gateway.env["CONFIG_BOOTSTRAP_API_KEY"]}

    async with Program.running(["bash", "-euo", "pipefail", "-c", here], environment, tmp_path) as program:
        assert '"webhook"' in await program.says('"webhook"')
        assert await program.ended() == 0

    (made,) = (await gateway.api("GET", "/sms?filter=tenant_id%20eq%20acme"))["items"]
    assert (made["name"], made["state"], made["webhook"][:4]) == ("Main line", "active", "http")
    # Its numbers are those of the samples, whose tests run on the same gateway.
    for path in (f"/sms/{made['id']}", f"/trunks/{made['provider_id']}", "/tenants/acme"):
        await gateway.api("DELETE", path)


async def test_the_two_commands_of_the_readme_are_targets_that_the_makefile_has():
    (block,) = [block for block in shell_blocks("README.md") if "make up" in block]
    commands = [line.partition("#")[0].strip() for line in block.splitlines()]
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert commands == ["make up", "make test"]
    assert {command.removeprefix("make ") for command in commands} <= known


async def test_the_program_for_python_in_the_readme_runs_until_its_text_is_delivered(demo, tmp_path):
    (tmp_path / "send.py").write_text(snippet("python"))

    async with Program.running([sys.executable, tmp_path / "send.py"], {"AMQP_URL": demo.gateway.pbx_url}) as program:
        for status in STATUSES:
            await program.says(f" {status}")
        assert await program.ended() == 0


async def test_the_program_for_node_in_the_readme_shows_statuses_and_inbound_texts(demo, native_settings):
    directory = await asyncio.to_thread(node.project, EXAMPLES, native_settings)
    (directory / "readme.mjs").write_text(snippet("js"))

    async with Program.running(["node", "readme.mjs"], {"AMQP_URL": demo.gateway.pbx_url}, directory) as program:
        for status in STATUSES:
            await program.says(f"status: '{status}'")
        await demo.text_in("hello snippet of the readme")
        await program.says("content: 'hello snippet of the readme'")


async def arrivals(gateway) -> list[dict[str, object]]:
    page = await gateway.simulator("GET", "/arrivals?limit=100000")
    return list(page["arrivals"])
