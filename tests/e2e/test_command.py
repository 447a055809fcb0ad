"""An operator with `smsgw` and the .env of the machine: is it well, a text out, its history, a file of it all."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sms_common.broker_rights import TOOLS
from sms_native.settings import inherited
from tests.e2e.customer import HANDSET, Customer

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


Smsgw = Callable[..., Awaitable[Ended]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def customer(new_customer) -> AsyncIterator[Customer]:
    async with new_customer("command") as customer:
        yield customer


@pytest.fixture
def smsgw(customer: Customer, tmp_path: Path) -> Smsgw:
    """Run the command in a directory with a .env as `make up` makes it."""
    lines = [f"{name}={value}" for name, value in customer.gateway.env.items()]
    (tmp_path / ".env").write_text("\n".join([*lines, f"SMSGW_AMQP_URL={customer.gateway.amqp_url(TOOLS)}", ""]))

    async def run(*arguments: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "smsgw", *arguments),
            cwd=tmp_path,
            env=inherited("SMSGW_"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        ended = Ended(process.returncode, out.decode(), err.decode())
        assert [secret for secret in customer.gateway.secrets if secret in ended.out + ended.err] == []
        return ended

    return run


async def test_the_doctor_finds_a_running_gateway_well(smsgw: Smsgw, customer: Customer):
    ended = await smsgw("doctor", "--json")
    found = {one["part"]: one for one in json.loads(ended.out)["findings"]}
    public = customer.config["webhook"].split("/")[2]
    parts = ["broker", "topology", "sms.outbound", "sms.carrier", "API key", f"config {customer.tenant}/Texts"]
    parts += ["config store", "dispatcher store", "ingress broker", "dispatcher snapshot", "ingress snapshot"]
    parts += [f"pbx.{customer.pbx}.status", f"webhook {public}"]
    assert {part: found.get(part) for part in parts if found.get(part, {}).get("level") != "ok"} == {}
    assert f"sms.lane.{customer.config['id']}" not in found  # a lane is named when something is wrong with it


async def test_a_text_is_followed_until_it_is_delivered_and_the_pbx_hears_of_it_too(smsgw: Smsgw, customer: Customer):
    ended = await smsgw("send", HANDSET, "a text by command", "-t", customer.tenant, "-e", "101", "--wait")
    assert ended.status == 0, ended.err
    message_id, *statuses = ended.out.splitlines()
    assert statuses[0].split()[1] == "accepted"
    assert statuses[-1].split()[1] == "delivered"
    assert (await customer.final(message_id))["status"] == "delivered"
    shown = await smsgw("messages", "show", message_id, "-t", customer.tenant, "--json", "--show")
    record: dict[str, Any] = json.loads(shown.out)
    assert (record["content"], record["status"]) == ("a text by command", "delivered")
    table = await smsgw("messages", "show", message_id, "-t", customer.tenant)
    assert table.status == 0
    assert "a text by command" not in table.out


async def test_a_text_that_is_rejected_fails_with_its_reason(smsgw: Smsgw):
    ended = await smsgw("send", HANDSET, "to nobody", "--tenant", "nobody", "--extension", "1", "--wait")
    assert ended.status == 1
    assert "unknown_tenant" in ended.out


async def test_what_was_exported_would_change_nothing(smsgw: Smsgw, customer: Customer, tmp_path: Path):
    exported = await smsgw("config", "export", "gateway.yaml", "--tenant", customer.tenant)
    assert exported.status == 0, exported.err
    ended = await smsgw("config", "diff", "gateway.yaml", "--prune", "--exit-code")
    assert (ended.status, ended.out) == (0, "0 changes, 3 unchanged\n")
