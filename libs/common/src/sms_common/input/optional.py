"""Leaves empty optional fields out of a JSON object, and trims its texts. No I/O."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from sms_common.input.pasted import trimmed


class Verbatim:
    """Marks a field whose text is not trimmed, such as the text of a message."""


class Filled:
    """Marks a field that may be left out but not be empty: an empty text there is a mistake."""


VERBATIM: Final = Verbatim()
FILLED: Final = Filled()


@dataclass(frozen=True, slots=True)
class _Shape:
    """What decides whether a value of a field counts as given. `secret` fields, and maps with one, are write-only."""

    optional: bool
    nullable: bool
    secret: bool
    mapping: bool
    verbatim: bool
    filled: bool


def only_given(model: type[BaseModel], value: object) -> object:
    """Return a JSON object without the fields that are empty and that `model` does not require. Its texts are trimmed.

    Empty is null, a text without a visible character and, for a map, an empty list. In a change, null removes a value.
    So a nullable field that is empty becomes null; but an empty text for a secret keeps it, as a form sends it so.
    """
    if not isinstance(value, dict):
        return value
    shapes, other = _shapes(model), _other(model)
    return dict(pair for name, one in value.items() for pair in _given(name, one, shapes.get(name, other)))


def _given(name: str, value: object, shape: _Shape | None) -> Iterator[tuple[str, object]]:
    if shape is None:
        yield name, value
        return
    read = trimmed(value) if isinstance(value, str) and not shape.verbatim else value
    if not shape.optional or not _is_empty(read, shape):
        yield name, value if shape.secret else read
    elif shape.nullable and (value is None or not shape.secret):
        yield name, None


def _is_empty(value: object, shape: _Shape) -> bool:
    return value is None or (value == "" and not shape.filled) or (shape.mapping and value == [])


@cache
def _shapes(model: type[BaseModel]) -> Mapping[str, _Shape]:
    return {field.alias or name: _shape(field) for name, field in model.model_fields.items()}


@cache
def _other(model: type[BaseModel]) -> _Shape | None:
    """The shape of fields of any other name, for a model that takes these and says what they hold."""
    if model.model_config.get("extra") != "allow":
        return None
    kinds = list(_kinds(get_args(get_type_hints(model)["__pydantic_extra__"])[1]))
    return _Shape(
        optional=True,
        nullable=type(None) in kinds,
        secret=any(map(_is_secret, kinds)),
        mapping=any(map(_is_model, kinds)),
        verbatim=False,
        filled=False,
    )


def _shape(field: FieldInfo) -> _Shape:
    kinds = list(_kinds(field.annotation))
    return _Shape(
        optional=not field.is_required(),
        nullable=type(None) in kinds,
        secret=any(map(_is_secret, kinds)),
        mapping=any(map(_is_model, kinds)),
        verbatim=VERBATIM in field.metadata,
        filled=FILLED in field.metadata,
    )


def _kinds(annotation: Any) -> Iterator[Any]:
    """What a value may be: the members of a union, however they are annotated."""
    if get_origin(annotation) is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, UnionType}:
        for member in get_args(annotation):
            yield from _kinds(member)
    else:
        yield annotation


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_secret(kind: Any) -> bool:
    if not _is_model(kind):
        return kind is SecretStr
    other = _other(kind)
    return any(shape.secret for shape in _shapes(kind).values()) or (other is not None and other.secret)
