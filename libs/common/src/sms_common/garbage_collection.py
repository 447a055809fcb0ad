"""Keeps Python's garbage collector from examining new objects again and again while many are made."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Pause the collector while hundreds of thousands of objects are made, none of which is garbage.

    With 10,000 rules the collector would take three times as long as reading the snapshot itself, and would delay every
    other task. The code in this context has to be short. It may run in several threads at once.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
