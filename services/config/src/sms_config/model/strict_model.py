"""The base class of bodies and their parts."""

from pydantic import BaseModel, ConfigDict, model_validator

from sms_common.input.optional import only_given


class StrictModel(BaseModel):
    """A body or a part of one. Unknown fields and wrong types are refused; an empty value counts as not given."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _only_what_is_given(cls, value: object) -> object:
        return only_given(cls, value)
