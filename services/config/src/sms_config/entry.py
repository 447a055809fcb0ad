"""The base of what a body is made of."""

from pydantic import BaseModel, ConfigDict


class Entry(BaseModel):
    """A part of a body: unknown fields and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)
