"""The commands env, up, smoke, down and status: in containers where possible, else natively."""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from sms_common.telemetry import configure
from sms_native.demonstration import demo
from sms_native.demonstration.seed import DID, TENANT
from sms_native.gateway import compose, native
from sms_native.gateway.environment import complete, load, make
from sms_native.gateway.stack import Stack
from sms_native.machine.processes import NativeError
from sms_native.machine.terminal import Terminal
from sms_native.settings import NativeSettings, inherited

_FAILED = 1
_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command in the working directory, which is a checkout; return the exit status.

    0: all went well, for `env` that there is a .env, for `up` that it was ready until Ctrl-C, for `status` that
    everything runs. 1: something failed, and the last line says what. 130: interrupted before it was ready.
    """
    parser = argparse.ArgumentParser(prog="python -m sms_native", description=__doc__)
    parser.add_argument("command", choices=["env", "up", "smoke", "down", "status"])
    wanted = parser.parse_args(arguments).command
    terminal = Terminal()
    configure("demonstration", level="error")  # the services log their own errors
    try:
        root, settings = Path.cwd(), NativeSettings.from_environment()
        if wanted in {"status", "down"} and not (root / ".env").exists():
            terminal.say("nothing was started here yet")
            return 0 if wanted == "down" else _FAILED
        if wanted == "env":
            if not make(root):
                added = complete(root)
                rest = f"added {', '.join(added)}; the rest stays" if added else "it stays"
                terminal.say(f"there is a .env already; {rest} as it is")
            return 0
        env = load(root, inherited())
        if wanted == "status":
            return _status(settings, env, terminal)
        if wanted == "down":
            return _down(root, settings, env, terminal)
        return asyncio.run(_interruptible(_up(root, settings, env, terminal, stay=wanted == "up")))
    except NativeError as error:
        print(f"error: {error}", file=sys.stderr)
        return _FAILED


async def _up(root: Path, settings: NativeSettings, env: Mapping[str, str], terminal: Terminal, *, stay: bool) -> int:
    """Start everything, demonstrate, and with `stay` wait until interrupted or until a part ends by itself."""
    _refuse_a_real_gateway(env)
    begun = time.monotonic()
    async with _opened(root, settings, env, terminal) as stack:
        shows = _why_no_demonstration(env)
        if shows is None:
            await _unless_ended(demo.run(stack, terminal), stack)
        elif not stay:
            raise NativeError(shows)
        else:
            terminal.say(f"no demonstration: {shows}")
        terminal.say(f"ready after {time.monotonic() - begun:.1f} s")
        if not stay:
            return 0
        _print_addresses(stack, terminal)
        try:
            raise NativeError(await stack.ended)
        except asyncio.CancelledError:
            return 0  # an interrupt is the normal end


def _refuse_a_real_gateway(env: Mapping[str, str]) -> None:
    """Refuse to turn a gateway for customers, which may run in containers of this checkout, into a demonstration.

    Raises NativeError if .env is that of such a gateway: it has a public URL, and the carrier is the real one.
    """
    carrier = env.get("DISPATCHER_CARRIER_OPTIONS") or inherited().get("DISPATCHER_CARRIER_OPTIONS")
    if env.get("CONFIG_PUBLIC_URL") and not carrier:
        raise NativeError(
            "CONFIG_PUBLIC_URL in .env says that this checkout is a real gateway, which would send its texts to the "
            "simulator now: start it with `docker compose up --build --detach`, and demonstrate in another checkout"
        )


def _opened(
    root: Path, settings: NativeSettings, env: Mapping[str, str], terminal: Terminal
) -> AbstractAsyncContextManager[Stack]:
    elsewhere = settings.amqp_url or settings.mongo_url
    containers = None if settings.native or elsewhere else compose.command(root, terminal)
    if containers is not None:
        return compose.running(containers, root, env, terminal)
    return native.running(settings, env, terminal)


def _why_no_demonstration(env: Mapping[str, str]) -> str | None:
    if env.get("DISPATCHER_CARRIER_OPTIONS"):
        return "DISPATCHER_CARRIER_OPTIONS names another carrier than the simulator"
    if not env.get("CONFIG_BOOTSTRAP_API_KEY"):
        return "there is no CONFIG_BOOTSTRAP_API_KEY in .env"
    return None


async def _unless_ended(work: Coroutine[Any, Any, None], stack: Stack) -> None:
    """Do `work`. Raises NativeError if a part of the stack ends before that."""
    task = asyncio.create_task(work)
    either: set[asyncio.Future[Any]] = {task, stack.ended}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if stack.ended.done():
            raise NativeError(stack.ended.result())
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _interruptible(work: Coroutine[Any, Any, int]) -> int:
    """Run `work`; SIGINT or SIGTERM cancels it once, and a second one ends this process at once."""
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        return _INTERRUPTED


def _down(root: Path, settings: NativeSettings, env: Mapping[str, str], terminal: Terminal) -> int:
    stopped = native.stop(settings, env)
    if not settings.native and (containers := compose.existing(root)):
        compose.stop(containers, root, env)
        stopped.append("the containers")
    terminal.say(f"stopped {', '.join(stopped)}" if stopped else "nothing ran here")
    return 0


def _status(settings: NativeSettings, env: Mapping[str, str], terminal: Terminal) -> int:
    states = native.what_runs(settings, env)
    for name, address in states.items():
        terminal.show(f"  {name:<10} {address or '-'}")
    return 0 if all(states.values()) else _FAILED


def _text_in(simulator_url: str) -> str:
    """A shell command that sends a text from a simulated handset to the demo number; it reads the token from .env."""
    body = json.dumps({"from": demo.HANDSET, "to": DID, "text": "Hi"})
    authorization = "Authorization: Bearer $(sed -n 's/^SIMULATOR_CONTROL_TOKEN=//p' .env)"
    return f"curl -sS -H \"{authorization}\" -d '{body}' {simulator_url}/_simulator/inbound"


def _print_addresses(stack: Stack, terminal: Terminal) -> None:
    """Print all addresses and how to send the next text. Passwords stay in .env: a terminal may be shared."""
    amqp = stack.amqp_url.rpartition("@")[2].partition("/")[0]
    terminal.say()
    if stack.env.get("CONFIG_FIRST_ADMIN_PASSWORD"):
        who = f"user {stack.env.get('CONFIG_FIRST_ADMIN') or 'admin'}, password: CONFIG_FIRST_ADMIN_PASSWORD in .env"
    else:
        who = "a line of config above shows the first log-in, unless somebody has logged in already"
    terminal.show(f"  portal      {stack.config_url}/ ({who})")
    terminal.show(f"  config      {stack.config_url}/api/v1 (key: CONFIG_BOOTSTRAP_API_KEY in .env)")
    terminal.show(f"  ingress     {stack.ingress_url}/webhooks/...")
    terminal.show(f"  dispatcher  {stack.dispatcher_url}/api/v1/messages (token: DISPATCHER_API_TOKEN in .env)")
    terminal.show(f"  simulator   {stack.simulator_url}")
    terminal.show(f"  RabbitMQ    {amqp} (user and password: RABBITMQ_USER, RABBITMQ_PASSWORD in .env)")
    if stack.management_url:
        terminal.show(f"              http://{stack.management_url.rpartition('@')[2]} in a browser")
    body = json.dumps(
        {"message_id": "first-1", "tenant_id": TENANT, "extension": "101", "to": demo.HANDSET, "text": "Hi"}
    )
    terminal.say("the next text: publish, with any AMQP client")
    terminal.show(f"  exchange sms, routing key sms.outbound.{TENANT}, body {body}")
    terminal.show(f"  statuses arrive in the queue pbx.main.status, texts to {DID} in pbx.main.inbound")
    terminal.show("  the user pbx-main (RABBITMQ_PBX_PASSWORDS in .env) may only publish to pbx.main.requests")
    terminal.say("a text from a handset: in another terminal, here")
    terminal.show(f"  {_text_in(stack.simulator_url)}")
    terminal.say("Ctrl-C stops everything")
