"""The base of what a body is made of."""

from pydantic import BaseModel, ConfigDict, model_validator

from sms_common.input.optional import only_given


class StrictModel(BaseModel):
    """A part of a body: unknown fields and wrong types are refused, and what is empty was not given."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _only_what_is_given(cls, value: object) -> object:
        return only_given(cls, value)
