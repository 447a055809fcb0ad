"""Plays the scenarios in their long form: `python -m tests.chaos [NAME ...] [--seed N] [--short] [--write PAGE]`."""

import argparse
import asyncio
import logging
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from benchmarks.engines import Engines
from benchmarks.machine import machine
from tests.chaos.report import Result, played, table, write
from tests.chaos.running import Draw, Row
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.site import Site


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(SCENARIOS)}; all by default")
    parser.add_argument("--seed", type=int, default=1, help="makes the same choices again (default 1)")
    parser.add_argument("--short", action="store_true", help="the short form: seconds each")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page")
    given = parser.parse_args()
    unknown = set(given.names) - SCENARIOS.keys()
    if unknown:
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}")
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # what is cut is cut on purpose

    def after_each(results: list[Result]) -> None:
        if given.write:  # at once: an hour is long, and what was played has been seen
            write(given.write, results, machine(), SCENARIOS)

    names = given.names or list(SCENARIOS)
    results = uvloop.run(run(names, seed=given.seed, long=not given.short, after_each=after_each))
    print(f"\n{table(results)}")
    return 1 if any(result.row.failures for result in results) else 0


async def run(
    names: list[str], *, seed: int, long: bool, after_each: Callable[[list[Result]], None] = lambda _: None
) -> list[Result]:
    """Play these one after another, each on an installation of its own; `after_each` gets all results so far."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    results = []
    async with Engines.running("chaos", fast_counts=True) as engines:
        for name in names:
            began = time.monotonic()
            row = await play(engines, name, seed=seed, long=long)
            known = SCENARIOS[name]
            results.append(Result(name, known.numbers, known.promise, row, played(seed=seed, long=long)))
            after_each(results)
            verdict = "; ".join(row.failures) or "kept"
            print(f"{name} ({time.monotonic() - began:.0f} s): {verdict}. {'; '.join(row.notes)}", flush=True)
    return results


async def play(engines: Engines, name: str, *, seed: int, long: bool) -> Row:
    """Play one scenario. What the services printed last is shown when it breaks off."""
    known = SCENARIOS[name]
    draw = Draw(random.Random(f"{seed} {name}"), long)
    async with Site.running(engines, **known.environment) as site:
        try:
            return await known.play(site, draw)
        except Exception:
            print("\n".join(f"{service}: {line}" for service, line in list(site.lines)[-60:]), file=sys.stderr)
            raise


if __name__ == "__main__":
    sys.exit(main())
