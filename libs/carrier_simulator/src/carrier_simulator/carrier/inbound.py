"""Texts from handsets, as a test or a person asks for them."""

import base64
import mimetypes
from typing import Any, Literal, Self

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, field_validator, model_validator

from carrier_simulator.carrier.accounts import Accounts, Application, SimulatedAccount
from carrier_simulator.carrier.records import MessageKind
from sms_common.segments import count_segments

__all__ = ["InboundPart", "InboundRequest"]

_PNG = base64.b64decode(
    b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_UNKNOWN_TYPE = "application/octet-stream"


class InboundPart(BaseModel):
    """One file of an MMS. Without content a small file is generated; without a type the file extension decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    filename: str = Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")
    content_type: str | None = None
    content: Base64Bytes | None = Field(None, description="The file in Base64")

    def resolved_type(self) -> str:
        """Return the content type the file is served with."""
        return self.content_type or mimetypes.guess_type(self.filename)[0] or _UNKNOWN_TYPE

    def resolved_content(self) -> bytes:
        """Return the file's bytes."""
        if self.content is not None:
            return self.content
        return _PNG if self.resolved_type() == "image/png" else f"made-up content of {self.filename}\n".encode()


class InboundRequest(BaseModel):
    """A text from a handset. Several `to` form a group: each one that is a customer's number gets its own message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sender: str = Field(alias="from", min_length=1)
    to: tuple[str, ...] = Field(min_length=1, description="One number or a list; all members of a group")
    text: str | None = Field("", description="null is sent as null")
    omit_text: bool = Field(False, description="Omit the field")
    media: tuple[InboundPart, ...] = Field((), description="Files, or just their names")
    smil: bool = Field(True, description="Put a SMIL part before the files, as US carriers do")
    account_id: str | None = Field(None, description="Needed with application_id when no account lists the number")
    application_id: str | None = None
    message_id: str | None = Field(None, min_length=1, description="Instead of a new id; one own number only")
    carrier_name: str | None = None
    copies: int = Field(1, ge=1, le=10, description="How often the webhook is posted")
    shape: Literal["array", "object"] = "array"
    time_digits: Literal[0, 3, 6] = 6

    @field_validator("to", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("media", mode="before")
    @classmethod
    def _a_name_is_a_file(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [{"filename": part} if isinstance(part, str) else part for part in value]

    @model_validator(mode="after")
    def _account_and_application_go_together(self) -> Self:
        if (self.account_id is None) != (self.application_id is None):
            raise ValueError("give account_id and application_id together")
        return self

    @property
    def kind(self) -> MessageKind:
        """Whether it comes as SMS or as MMS."""
        return "mms" if self.media or len(self.to) > 1 else "sms"

    @property
    def segments(self) -> int:
        """The segmentCount of the message."""
        return count_segments(self.text or "", mms=self.kind == "mms").segments

    def owners(self, accounts: Accounts) -> list[tuple[SimulatedAccount, Application, str]]:
        """Return the account and application of each recipient that is a customer's number.

        Raises LookupError if there is none, or more than one although message_id is given.
        """
        if self.account_id is not None and self.application_id is not None:
            account = accounts.get(self.account_id)
            application = None if account is None else account.application(self.application_id)
            if account is None or application is None:
                raise LookupError("no such account or application")
            owners = [(account, application, self.to[0])]
        else:
            found = [(accounts.owner_of(number), number) for number in self.to]
            owners = [(*pair, number) for pair, number in found if pair is not None]
        if not owners:
            raise LookupError("no account lists any of these numbers")
        if self.message_id is not None and len(owners) > 1:
            raise LookupError("message_id can be given for one own number only")
        return owners

    def content(self, urls: list[str]) -> dict[str, Any]:
        """Return the text and media fields of the webhook's message."""
        content: dict[str, Any] = {} if self.omit_text else {"text": self.text}
        if urls:
            content["media"] = urls
        return content

    def parts(self) -> list[InboundPart]:
        """Return the files in the order they are stored, including the SMIL part."""
        if not self.media or not self.smil:
            return list(self.media)
        names = "".join(f'<par><ref src="{part.filename}"/></par>' for part in self.media)
        document = f"<smil><head><layout/></head><body>{names}</body></smil>".encode()
        smil = InboundPart(filename="0.smil", content_type="application/smil", content=base64.b64encode(document))
        return [smil, *self.media]
