"""What pydantic found wrong with an event, as a sentence for a person. Pure; it never repeats the value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from sms_common.errors import Code
from sms_common.input.patterns import ANY_MESSAGE_ID_PATTERN, ID_PATTERN, MESSAGE_ID_PATTERN
from sms_common.input.request_fields import A_TIME

_PATTERNS: Final[Mapping[str, str]] = {
    MESSAGE_ID_PATTERN: "must be 1 to 64 letters, digits and _ . : - only",
    ANY_MESSAGE_ID_PATTERN: "must be 1 to 69 letters, digits and _ . : - only",
    ID_PATTERN: "must be 1 to 64 letters, digits, _ and - only",
}
_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "must be text",
    "string_too_short": "is empty",
    "string_too_long": "is too long; {max_length} characters are allowed",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "too_short": "is empty",
    "too_long": "is too long; {max_length} are allowed",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "dict_type": "must be an object of names and values",
    "model_type": "must be an object of names and values",
    "model_attributes_type": "must be an object of names and values",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
}
_FLAT: Final = "must be a flat object: names with text, numbers, true, false or null"


@dataclass(frozen=True, slots=True)
class FieldError:
    """The first thing that is wrong: the field's place, such as `media.0.url` (None: the whole), and a sentence."""

    code: Code
    field: str | None
    reason: str


def first_field_error(error: ValidationError) -> FieldError | None:
    """The first error; None when the body is no JSON at all."""
    first = error.errors(include_url=False, include_input=False)[0]
    kind, context = first["type"], first.get("ctx", {})
    if kind == "json_invalid":
        return None
    path = first["loc"]
    field = context.get("field") or ".".join(map(str, path))
    if path[:1] == ("metadata",):
        field = "metadata"  # the path goes on with names that the PBX chose, which must not appear in a log or a status
    says = _FLAT if len(path) > 1 and field == "metadata" else predicate(kind, context)
    code = Code(kind) if kind in set(Code) else Code.INVALID_REQUEST
    return FieldError(code, field or None, f"{field or 'The body'} {says}.")


def predicate(kind: str, context: Mapping[str, Any]) -> str:
    """The sentence that follows the field's name, for an error of pydantic's `kind` with its `context`."""
    if "says" in context:
        return str(context["says"])
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], "has a wrong form")
    if kind.startswith(("datetime", "timezone", "time_zone")):
        return A_TIME
    return _SENTENCES.get(kind, "has a wrong form").format_map(context)
