"""Where an exception came from, without its text and without any value: both may hold what a caller sent."""

import traceback
from pathlib import PurePath

_MOST = 8


def code_places(error: BaseException) -> list[str]:
    """The last places in the code that `error` went through, the innermost last, such as `api.py:120 handle`."""
    frames = traceback.extract_tb(error.__traceback__)[-_MOST:]
    return [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
