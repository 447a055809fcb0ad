"""Runs the benchmark, or parts of it: `python -m benchmarks [PART ...] [--quick] [--write DIRECTORY]`."""

import argparse
import asyncio
import gc
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from benchmarks import dispatching, lasting, profiling, receiving
from benchmarks.figures import Part
from benchmarks.machine import load, machine
from benchmarks.report import table, write
from benchmarks.world import NotMeasured, World

Measure = Callable[..., Awaitable[Part]]

PARTS: dict[str, Measure] = {
    "ingress": receiving.ingress,
    "dispatch": dispatching.dispatch,
    "latency": dispatching.latency,
    "webhook-latency": receiving.webhook_latency,
    "receipts": receiving.receipts,
    "growth": dispatching.growth,
    "dispatchers": dispatching.dispatchers,
    "start": lasting.start,
    "memory": lasting.memory,
    "profile": profiling.profile,
}
LONG: dict[str, Measure] = {"memory-long": lasting.memory_long}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"any of {', '.join(PARTS)}, which is all by default, or {', '.join(LONG)}",
    )
    parser.add_argument("--quick", action="store_true", help="fewer messages: to see that it works, not to compare")
    parser.add_argument("--write", type=Path, metavar="DIRECTORY", help="write the tables, plots and JSON there")
    given = parser.parse_args()
    unknown = set(given.parts) - PARTS.keys() - LONG.keys()
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    parts = uvloop.run(run(given.parts or list(PARTS), quick=given.quick))
    if given.write:
        write(given.write, parts, machine(), [*PARTS, *LONG], quick=given.quick)
    return 0 if parts else 1


async def run(names: list[str], *, quick: bool) -> list[Part]:
    """Measure these parts one after another; one that fails is told of and left out."""
    found: list[Part] = []
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    gc.disable()  # or the pauses of this process would count as those of what is measured
    async with World.running() as world:
        for name in names:
            gc.collect()
            began, before = time.monotonic(), load()
            try:
                part = await (PARTS | LONG)[name](world, quick=quick)
            except NotMeasured as reason:
                print(f"\n{name}: not measured: {reason}", file=sys.stderr)
                continue
            found.append(part)
            print(f"\n{table(part)}\n({time.monotonic() - began:.0f} s; load before {before:.1f})", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
