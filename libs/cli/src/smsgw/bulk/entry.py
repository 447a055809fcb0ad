"""The base of everything that stands in the file."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from sms_common.configuration import ID_PATTERN

Name = Annotated[str, Field(min_length=1, max_length=64)]
TenantId = Annotated[str, Field(pattern=ID_PATTERN)]


class Entry(BaseModel):
    """Base of what stands in the file: unknown fields and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    def given(self, *without: str) -> dict[str, Any]:
        """The fields that stand in the file."""
        return self.model_dump(mode="json", include=self.model_fields_set - set(without))
