"""The base class of the entries in the file."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sms_common.input.optional import only_given
from sms_common.input.pasted import one_line, printable_ascii
from sms_common.input.patterns import ID_PATTERN

MAX_NAME = 64


def _line(value: object) -> object:
    return one_line(value) if isinstance(value, str) else value


def _typed(value: object) -> object:
    return printable_ascii(value, blanks=True) if isinstance(value, str) else value


# As the API stores them, so that a file equals what it has created.
Name = Annotated[str, BeforeValidator(_line), Field(min_length=1, max_length=MAX_NAME)]
TenantId = Annotated[str, BeforeValidator(_typed), Field(pattern=ID_PATTERN)]


def empty_is_none(model: type[BaseModel], value: object) -> object:
    """Return the given fields. An empty one gets its default, since a file may say "none" in this way."""
    given = only_given(model, value)
    if not isinstance(value, dict) or not isinstance(given, dict):
        return given
    emptied = [name for name in model.model_fields if name in value and name not in given]
    return {**given, **{name: model.model_fields[name].get_default(call_default_factory=True) for name in emptied}}


class StrictEntry(BaseModel):
    """Base of the entries in the file. Refuses unknown fields and wrong types. An empty field means none."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return empty_is_none(cls, value)

    def given(self, *without: str) -> dict[str, Any]:
        """The fields that are in the file."""
        return self.model_dump(mode="json", include=self.model_fields_set - set(without))
