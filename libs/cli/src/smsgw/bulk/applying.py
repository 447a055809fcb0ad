"""Applies a plan through the API. Each step names the version that was compared, so that nobody's change is lost."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from smsgw.access.http_api import ApiRefusal, JsonObject, ServiceApi
from smsgw.bulk.credentials import PREFIX
from smsgw.bulk.current import Installation
from smsgw.bulk.kinds import Key, ObjectKind
from smsgw.bulk.planning import CALLBACK_PASSWORD, Plan, Step
from smsgw.bulk.references import references, with_ids
from smsgw.terminal.running import Failure

# Another step of the same plan may remove the cause of these refusals: a number or a name that another trunk still
# has, or an object that is still in use.
_LATER = frozenset({"number_overlap", "name_taken", "in_use"})


@dataclass
class _State:
    """The ids and versions of objects, as far as they are known."""

    ids: dict[tuple[ObjectKind, Key], str] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)


async def apply(api: ServiceApi, plan: Plan, now: Installation, done: Callable[[Step], None]) -> None:
    """Apply all steps and call `done` after each. Raises Failure at the first that cannot be applied.

    Steps before it stay applied. Importing the file again continues from there.
    """
    state = _State(
        {key: item.id for key, item in now.items.items()}, {item.id: item.version for item in now.items.values()}
    )
    waiting = list(plan.steps)
    while waiting:
        postponed: list[Step] = []
        reasons: list[Failure] = []
        for step in waiting:
            try:
                if _can_be_made(step, state):
                    await _make(api, step, state)
                    done(step)
                    continue
            except ApiRefusal as refused:
                if refused.code not in _LATER:
                    raise _failure(step, refused) from refused
                reasons.append(_failure(step, refused))
            postponed.append(step)
        if len(postponed) == len(waiting):
            raise reasons[0]
        waiting = postponed


def _can_be_made(step: Step, state: _State) -> bool:
    """Whether the objects that the step names exist. Steps that create them may have been postponed."""
    known = state.ids.__contains__
    return step.action == "delete" or all(map(known, references(step.kind, step.key, step.fields, known)))


async def _make(api: ServiceApi, step: Step, state: _State) -> None:
    place = (step.kind, step.key)
    if step.kind is ObjectKind.ROUTING:
        tenant = step.key[0]
        answer = await api.call(
            "PATCH",
            step.kind.path,
            dict(step.fields),
            parameters={"tenant_id": tenant},
            version=state.versions.get(tenant),
        )
        state.versions[tenant] = answer["version"]
        return
    if step.action == "create":
        answer = await api.call("POST", step.kind.path, _body(step, state) | _identity(step))
        state.ids[place] = answer["id"]
        state.versions[answer["id"]] = answer["version"]
        return
    object_id = state.ids[place]
    path, version = f"{step.kind.path}/{object_id}", state.versions.get(object_id)
    if step.action == "delete":
        await api.call("DELETE", path, version=version)
        return
    answer = await api.call("PATCH", path, _body(step, state), version=version)
    state.versions[object_id] = answer["version"]


def _identity(step: Step) -> JsonObject:
    if step.kind is ObjectKind.TENANT:
        return {"id": step.key[0]}
    named = "extension" if step.kind is ObjectKind.EXTENSION else "name"
    return {"tenant_id": step.key[0] or None, named: step.key[1]}


def _body(step: Step, state: _State) -> JsonObject:
    """Return the request's body: the API's field names, ids instead of names, and the secrets."""
    literals = {name: value for name, value in step.fields.items() if name.startswith(PREFIX)}
    rest = {name: value for name, value in step.fields.items() if name not in literals}
    body = with_ids(step.key[0], rest, state.ids)
    credentials = {name.removeprefix(PREFIX): value for name, value in literals.items()} | {
        name: secret.get_secret_value() for name, secret in step.secrets.items() if name != CALLBACK_PASSWORD
    }
    if credentials:
        body["credentials"] = credentials
    if CALLBACK_PASSWORD in step.secrets:
        callback: dict[str, Any] = dict(body.get("callback") or {})
        body["callback"] = {**callback, "password": step.secrets[CALLBACK_PASSWORD].get_secret_value()}
    return body


def _failure(step: Step, refused: ApiRefusal) -> Failure:
    if refused.code == "version_conflict":
        said = f"The {step.label} was changed by somebody else meanwhile, so it was not overwritten. {refused}"
        return Failure(f"{step.place}{said}")
    return Failure(f"{step.place}The {step.label} could not be {step.action}d: {refused}")
