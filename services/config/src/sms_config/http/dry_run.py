"""Dry runs: a change is checked but not written.

They also find everything that is wrong with a request, not only what is checked first: the request is run again without
the fields that are known to be wrong.
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

# No form fails more checks in a row than this.
_ROUNDS = 6
# Fields that are checked against another field, and so cannot be checked without it.
_CHECKED_BY: Mapping[str, tuple[str, ...]] = {
    "dids": ("default_did",),
    "provider_id": ("sender_id", "limits"),
    "did_numbers": ("office", "outside", "holiday"),
    "role": ("tenant_id",),
}
# Valid values for fields that a new object must have.
_STAND_INS: Mapping[str, Callable[[], Any]] = {
    "name": lambda: f"n{secrets.token_hex(12)}",
    "extension": lambda: str(secrets.randbelow(10**12)),
    "password": lambda: secrets.token_hex(16),
    "scopes": lambda: ["read"],
    "pools": list,
}
# An outbound rule needs one of these. If the only one is wrong and left out, that is no second error.
_CONDITIONS = frozenset({"prefixes", "lengths", "extensions", "groups", "categories"})
_ANY_CONDITION = {"extensions": "1"}
Handle = Callable[[Call], Awaitable[Any]]


async def run_dry(handle: Handle, call: Call) -> None:
    """Do everything but the write. Raises what `handle` raises."""
    with dry_run():
        try:
            await handle(call)
        except DryRunEnded:
            return


async def find_all_errors(problem: Problem, handle: Handle, call: Call, *, creates: bool) -> Problem:
    """Return the problem with everything else that is wrong with the request added."""
    if not _is_about_fields(problem):
        return problem
    errors = list(problem.errors)
    for _ in range(_ROUNDS):
        wrong = {error.field.partition(".")[0] for error in errors}
        given = _without(call.given, wrong, creates=creates)
        more = None if given is None else await _problem_of(handle, replace(call, given=given))
        new = [] if more is None else [error for error in more.errors if error.field.partition(".")[0] not in wrong]
        if not new:
            break
        errors += new
    if isinstance(problem, Invalid):
        return Invalid(errors)
    problem.errors = tuple(errors)
    return problem


def _is_about_fields(problem: Problem) -> bool:
    named = problem.status in {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.CONFLICT} and bool(problem.errors)
    return named and not isinstance(problem, VersionConflict) and all(error.field for error in problem.errors)


def _without(given: JsonObject, wrong: Collection[str], *, creates: bool) -> JsonObject | None:
    """Return the body without its wrong fields, or None when it cannot be checked without them."""
    out = {*wrong, *(follower for name in wrong for follower in _CHECKED_BY.get(name, ()))}
    left = {name: value for name, value in given.items() if name not in out}
    if not left or "tenant_id" in wrong:
        return None
    if "routes" in given and not _CONDITIONS.isdisjoint(wrong) and _CONDITIONS.isdisjoint(left):
        left |= _ANY_CONDITION
    return left | {name: _STAND_INS[name]() for name in wrong if creates and name in _STAND_INS}


async def _problem_of(handle: Handle, call: Call) -> Problem | None:
    try:
        await run_dry(handle, call)
    except Problem as problem:
        return problem if _is_about_fields(problem) else None
    return None
