"""Where the dispatcher's processor time goes, by py-spy, which looks from outside some hundred times a second."""

import asyncio
import shutil
import sys
from collections import Counter
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.dispatching import prepare
from benchmarks.figures import Figure, Part
from benchmarks.traffic import fill
from benchmarks.world import NotMeasured, World

_RATE = 250
_MOST = 30
# What a stack is counted under: the innermost frame whose file holds one of these.
_STAGES = {
    "/sms_common/telemetry/": "logs and metrics",
    "/structlog/": "logs and metrics",
    "/logging/": "logs and metrics",
    "/prometheus_client/": "logs and metrics",
    "/sms_common/broker/": "broker client",
    "/aio_pika/": "broker client",
    "/aiormq/": "broker client",
    "/pamqp/": "broker client",
    "/sms_dispatcher/ledger/ledger.py": "ledger",
    "/sms_dispatcher/ledger/database.py": "ledger",
    "/sms_dispatcher/ledger/documents.py": "ledger",
    "/sms_dispatcher/ledger/group_commit.py": "ledger",
    "/motor/": "database driver",
    "/pymongo/": "database driver",
    "/bson/": "database driver",
    "/concurrent/futures/": "database driver",
    "/aiohttp/": "HTTP client",
    "/aiohappyeyeballs/": "HTTP client",
    "/yarl/": "HTTP client",
    "/multidict/": "HTTP client",
    "/sms_common/carriers/": "carrier",
    "/sms_common/phone/": "planning",
    "/sms_common/rules/": "planning",
    "/sms_common/segments.py": "planning",
    "/sms_dispatcher/requests/planning.py": "planning",
    "/sms_common/events.py": "events",
    "/pydantic/": "events",
    "/sms_dispatcher/": "dispatcher's own steps",
    "/asyncio/": "event loop",
    "/uvloop/": "event loop",
}


async def profile(world: World, *, quick: bool) -> Part:
    """Shares of the time during which the dispatcher computed, while it emptied a full queue."""
    program = _py_spy()
    messages = 3_000 if quick else 10_000
    async with world.corner() as corner:
        await prepare(corner)
        channel = await corner.channel()
        await fill(await channel.get_exchange("sms"), corner.installation.requests(messages))
        dispatcher = await corner.dispatcher()
        output = world.directory / "profile.txt"
        command = ["record", "--pid", str(dispatcher.pid), "--format", "raw", "--gil", "--full-filenames"]
        spy = await asyncio.create_subprocess_exec(
            program, *command, "--rate", str(_RATE), "--nonblocking", "--output", str(output), stdout=-3, stderr=-3
        )
        await corner.until_seen(messages)
        async with corner.http.get(f"{dispatcher.address}/metrics") as answer:
            ledger = _ledger(await answer.text(), messages)
        await dispatcher.stop()
        await spy.wait()
    stacks = _stacks(output)
    total = sum(stacks.values())
    if not total:
        raise NotMeasured("py-spy may not look into the dispatcher here")
    part = Part("profile", "Where the dispatcher's time goes", f"{total:,} looks at whoever held the interpreter.")
    stages: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    innermost: Counter[str] = Counter()
    for frames, count in stacks.items():
        stages[_stage(frames)] += count
        innermost[_name(frames[-1])] += count
        functions.update({_name(frame): count for frame in frames if "/sms_" in frame})
    part.figures += [Figure(stage, count / total * 100, "%") for stage, count in stages.most_common()]
    part.figures += ledger
    part.notes.append("Of our own functions, with everything they call:")
    part.notes.append(_listed(functions, total))
    part.notes.append("Innermost functions:")
    part.notes.append(_listed(innermost, total))
    return part


def _listed(functions: Counter[str], total: int) -> str:
    return "\n".join(f"* {count / total * 100:.1f} % `{name}`" for name, count in functions.most_common(_MOST))


def _ledger(page: str, messages: int) -> list[Figure]:
    """How often the dispatcher asked its ledger, how long each time, and how many writes shared a commit."""
    sums: dict[str, float] = {}
    counts: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if family.name == "smsgw_ledger_duration_seconds":
                of = {"smsgw_ledger_duration_seconds_sum": sums, "smsgw_ledger_duration_seconds_count": counts}
                of.get(sample.name, {})[sample.labels["operation"]] = sample.value
    figures = []
    for operation in ("accept", "claim", "write", "receipts"):
        if counts.get(operation):
            figures.append(Figure(f"ledger, {operation}: messages a commit", messages / counts[operation], ""))
            figures.append(Figure(f"ledger, {operation}", sums[operation] / counts[operation] * 1000, "ms a commit"))
    return figures


def _py_spy() -> str:
    beside = Path(sys.executable).with_name("py-spy")
    program = str(beside) if beside.exists() else shutil.which("py-spy")
    if program is None:
        raise NotMeasured("py-spy is not installed")
    return program


def _stacks(output: Path) -> dict[tuple[str, ...], int]:
    """How often each stack was seen, its frames from the outermost in."""
    if not output.exists():
        return {}
    stacks: Counter[tuple[str, ...]] = Counter()
    for line in output.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        stacks[tuple(stack.split(";"))] += int(count)
    return stacks


def _stage(frames: tuple[str, ...]) -> str:
    for frame in reversed(frames):
        for part, stage in _STAGES.items():
            if part in frame:
                return stage
    return "interpreter"


def _name(frame: str) -> str:
    """`handle (sms_dispatcher/delivery/sending.py)` of what py-spy prints."""
    function, _, place = frame.partition(" (")
    path = place.rpartition(":")[0] or place.rstrip(")")
    return f"{function} ({'/'.join(path.split('/')[-2:])})"
