"""Finds everything that is wrong with a request, not only what is looked at first: it is tried again without what is
known to be wrong, and nothing of that is written.
"""

import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from sms_config.http.requests import Call
from sms_config.model.problems import Invalid, Problem, VersionConflict
from sms_config.resources.changes import DryRunEnded, dry_run
from sms_config.schemas.bodies import JsonObject

# More than that many different checks in a row refuse nobody's form.
_ROUNDS = 6
# What is judged by another field, and so cannot be judged without it.
_JUDGED_BY: Mapping[str, tuple[str, ...]] = {
    "dids": ("default_did",),
    "provider_id": ("sender_id", "limits"),
    "did_numbers": ("office", "outside", "holiday"),
    "role": ("tenant_id",),
}
# What stands in for a field that a new object must have.
_STAND_INS: Mapping[str, Callable[[], Any]] = {
    "name": lambda: f"n{secrets.token_hex(12)}",
    "extension": lambda: str(secrets.randbelow(10**12)),
    "password": lambda: secrets.token_hex(16),
    "scopes": lambda: ["read"],
    "pools": list,
}
# An outbound rule needs one of these, and that the wrong one is left out is no second mistake.
_CONDITIONS = frozenset({"prefixes", "lengths", "extensions", "groups", "categories"})
_ANY_CONDITION = {"extensions": "1"}
Handle = Callable[[Call], Awaitable[Any]]


async def run_dry(handle: Handle, call: Call) -> None:
    """Do all but the write. Raises what `handle` raises."""
    with dry_run():
        try:
            await handle(call)
        except DryRunEnded:
            return


async def find_all_errors(problem: Problem, handle: Handle, call: Call, *, creates: bool) -> Problem:
    """Return the problem with everything else that is wrong with the request beside what it tells itself."""
    if not _is_about_fields(problem):
        return problem
    errors = list(problem.errors)
    for _ in range(_ROUNDS):
        wrong = {error.field.partition(".")[0] for error in errors}
        given = _without(call.given, wrong, creates=creates)
        more = None if given is None else await _trial(handle, replace(call, given=given))
        new = [] if more is None else [error for error in more.errors if error.field.partition(".")[0] not in wrong]
        if not new:
            break
        errors += new
    if isinstance(problem, Invalid):
        return Invalid(errors)
    problem.errors = tuple(errors)
    return problem


def _is_about_fields(problem: Problem) -> bool:
    told = problem.status in {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.CONFLICT} and bool(problem.errors)
    return told and not isinstance(problem, VersionConflict) and all(error.field for error in problem.errors)


def _without(given: JsonObject, wrong: Collection[str], *, creates: bool) -> JsonObject | None:
    """Return what is given without what is wrong, or None where nothing can stand in for it."""
    out = {*wrong, *(follower for name in wrong for follower in _JUDGED_BY.get(name, ()))}
    left = {name: value for name, value in given.items() if name not in out}
    if not left or "tenant_id" in wrong:
        return None
    if "routes" in given and not _CONDITIONS.isdisjoint(wrong) and _CONDITIONS.isdisjoint(left):
        left |= _ANY_CONDITION
    return left | {name: _STAND_INS[name]() for name in wrong if creates and name in _STAND_INS}


async def _trial(handle: Handle, call: Call) -> Problem | None:
    try:
        await run_dry(handle, call)
    except Problem as problem:
        return problem if _is_about_fields(problem) else None
    return None
