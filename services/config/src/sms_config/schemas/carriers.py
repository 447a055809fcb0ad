"""Carriers as the API shows them: everything that a form for one of their accounts is drawn from."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field

from sms_common.carriers.declaration import CredentialField, Declaration
from sms_config.schemas.views import Shown


class CredentialView(Shown):
    """One credential of a carrier."""

    name: str = Field(description="Its name in `credentials`.")
    label: str
    known_as: str | None = Field(description="What the carrier's own pages call it, where that is another word.")
    secret: bool = Field(description="False: it identifies and proves nothing, so it is shown again.")
    required: bool = Field(description="Without it a configuration is a draft.")
    aliases: tuple[str, ...] = Field(description="Other names that are taken for it.")
    pattern: str | None = Field(description="A regular expression that the whole value matches.")
    pattern_says: str | None = Field(description='What a value must be, for one that does not match ("must be ...").')
    hint: str | None

    @classmethod
    def of(cls, field: CredentialField) -> Self:
        """One credential as it is declared."""
        plain = {name: getattr(field, name) for name in ("name", "label", "known_as", "secret", "required", "aliases")}
        pattern = field.pattern
        return cls(
            **plain,
            pattern=None if pattern is None else pattern.regex.pattern,
            pattern_says=None if pattern is None else pattern.sentence,
            hint=field.hint,
        )


class CallbackAuthView(Shown):
    """How a carrier proves at the webhook who it is, besides by knowing its address."""

    kind: Literal["basic"]
    challenged: bool = Field(description="It may send user and password only after a 401 that asks for them.")


class CarrierLimitsView(Shown):
    """What a carrier takes in one message; null: it names no limit."""

    text: int = Field(description="Characters.")
    media: int = Field(description="Files.")
    media_url: int = Field(description="Characters of one file's address.")
    media_bytes: int | None = Field(description="Bytes of one file.")
    message_bytes: int | None = Field(description="Bytes of all files together.")
    group_recipients: int
    groups: bool = Field(description="Whether one message can have several recipients.")
    receipt_hours: float | None = Field(description="How long after sending the last receipt may still come.")


class SetupStepView(Shown):
    """One thing to do in the carrier's own pages."""

    title: str
    text: str = Field(
        description="`{webhook}` stands for the webhook's address, `{callback_user}` for the callback's user name."
    )


class CarrierView(Shown):
    """A carrier that the gateway speaks to, and what its accounts are configured by."""

    name: str = Field(description="The word in webhook addresses and in a trunk's `carrier`.")
    brand: str = Field(description="Its name for people.")
    credentials: tuple[CredentialView, ...]
    account: str = Field(description="The credential that tells accounts apart.")
    callback: CallbackAuthView | None = Field(description="Null: it presents nothing, so `callback` must be null.")
    limits: CarrierLimitsView
    setup: tuple[SetupStepView, ...]
    setup_note: str | None
    campaign_name: str = Field(description="What it calls `limits.campaign_id` of a configuration.")
    brand_name: str = Field(description="What it calls `limits.brand_id` of a configuration.")

    @classmethod
    def of(cls, name: str, declared: Declaration) -> Self:
        """A carrier as it is declared."""
        callback = declared.callback
        return cls(
            name=name,
            brand=declared.brand,
            credentials=tuple(map(CredentialView.of, declared.credentials)),
            account=declared.account,
            callback=None if callback is None else CallbackAuthView(kind="basic", challenged=callback.challenged),
            limits=CarrierLimitsView.model_validate(declared.limits, from_attributes=True),
            setup=tuple(SetupStepView.model_validate(step, from_attributes=True) for step in declared.setup),
            setup_note=declared.setup_note,
            campaign_name=declared.campaign_name,
            brand_name=declared.brand_name,
        )


class CarriersView(Shown):
    """All carriers, by name."""

    count: int
    items: tuple[CarrierView, ...]

    @classmethod
    def of(cls, declared: Mapping[str, Declaration]) -> Self:
        """All that are declared."""
        items = tuple(CarrierView.of(name, declared[name]) for name in sorted(declared))
        return cls(count=len(items), items=items)
