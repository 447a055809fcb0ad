"""Explains what would become of a text. The dispatcher decides on real texts, so the explanation comes from it too."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field, ValidationError

from sms_common.input.optional import VERBATIM
from sms_common.messages import Category, MsgType
from sms_config.access.auth import Caller, Scope
from sms_config.http.requests import Call
from sms_config.http.routes import PREFIX, ApiRoute
from sms_config.model.problems import ExplanationAway, Invalid, NotFound
from sms_config.model.records import TenantRecord
from sms_config.operations.dispatcher_client import DispatcherClient
from sms_config.schemas.bodies import Body, parse
from sms_config.schemas.fields import Moment, Reference
from sms_config.schemas.views import Shown
from sms_config.storage.store_protocol import EVERYONE, Store

ShortText = Annotated[str, Field(min_length=1, max_length=64)]
SenderText = Annotated[str, Field(min_length=1, max_length=254)]
# More than any carrier takes, so that texts that are too long are explained too.
_MAX_TEXT = 16_384
_TENANT = "May be left out with a credential for one tenant, or with the header X-Tenant."
_AT = "The moment to decide for; absent: now."

V = TypeVar("V", bound=BaseModel)


class OutboundExplainBody(Body):
    """A text that might be sent to one recipient."""

    tenant_id: Reference | None = Field(default=None, description=_TENANT)
    extension: ShortText = Field(description="Who sends.")
    to: ShortText
    text: Annotated[Annotated[str, Field(max_length=_MAX_TEXT)] | None, VERBATIM] = None
    sender: ShortText | None = Field(default=None, alias="from")
    config_id: Reference | None = None
    category: Annotated[Category, Field(strict=False)] = Category.CONVERSATIONAL
    at: Moment | None = Field(default=None, description=_AT)


class InboundExplainBody(Body):
    """A text that might come in."""

    tenant_id: Reference | None = Field(
        default=None,
        description=f"{_TENANT} Who acts for all tenants need not say it: the number's owner is found.",
    )
    sender: SenderText
    did: ShortText = Field(description="The number written to.")
    channel: Annotated[MsgType, Field(strict=False)] = MsgType.SMS
    config_id: Reference | None = Field(
        default=None, description="Through whose webhook; absent: that of the number's trunk."
    )
    at: Moment | None = Field(default=None, description=_AT)


class VerdictView(Shown):
    """One rule's part in a decision."""

    rule_id: str
    name: str
    won: bool
    reason: str = Field(description="Why it was not used; empty for the one that decides.")


class RejectionView(Shown):
    """Why a text would be refused."""

    code: str = Field(description="As in the status event.")
    reason: str
    field: str | None = Field(default=None, description="The field of the request that is the reason.")


class RouteView(Shown):
    """A route that was considered."""

    config_id: str | None
    config_name: str | None
    to: str = Field(description="The number as the carrier would be given it.")
    sender: str | None = Field(description="Null: the route cannot be used.")
    reason: str = Field(description="Why this sender, or why the route cannot be used.")


class OutboundExplanationView(Shown):
    """What would become of an outbound text."""

    to: str
    config_id: str | None
    config_name: str | None
    sender: str | None
    sender_reason: str | None
    rule_id: str | None
    reason: str
    routes: tuple[RouteView, ...] = Field(description="In the order in which they would be tried.")
    verdicts: tuple[VerdictView, ...]
    lane: str | None = Field(description="The queue in which it would wait for its turn.")
    bulk: bool
    msg_type: str | None
    segments: int | None
    encoding: str | None
    held_until: datetime | None
    rejection: RejectionView | None


class DestinationView(Shown):
    """Where the PBX would be told to deliver an inbound text."""

    rule_id: str | None
    kind: str = Field(description="`did` when no rule decides, `discard` when it would be thrown away.")
    destination: str
    reason: str


class InboundExplanationView(Shown):
    """What would become of an inbound text."""

    did: str
    tenant_id: str | None
    config_id: str | None
    blocked: bool = Field(description="The tenant blocks the sender: it would be counted and dropped.")
    route: DestinationView | None
    period: str | None = Field(description="What time it is for the tenant: office, outside or holiday.")
    verdicts: tuple[VerdictView, ...]
    rejection: RejectionView | None


class Explanations:
    """Explains texts of the caller's tenants."""

    def __init__(self, store: Store, dispatcher: DispatcherClient) -> None:
        self._store = store
        self._dispatcher = dispatcher

    async def outbound(self, caller: Caller, asked: OutboundExplainBody) -> OutboundExplanationView:
        """Return what would become of an outbound text. Raises Invalid, NotFound, ExplanationAway."""
        tenant_id = await self._tenant(caller, asked.tenant_id)
        if tenant_id is None:
            raise Invalid.of("tenant_id", "is required: a text is sent by one tenant")
        return await self._ask("outbound", asked, tenant_id, OutboundExplanationView)

    async def inbound(self, caller: Caller, asked: InboundExplainBody) -> InboundExplanationView:
        """Return what would become of an inbound text. Raises Invalid, NotFound, ExplanationAway."""
        tenant_id = await self._tenant(caller, asked.tenant_id)
        if tenant_id is None and caller.tenancy is not EVERYONE:
            raise Invalid.of("tenant_id", "is required with a credential for several tenants")
        return await self._ask("inbound", asked, tenant_id, InboundExplanationView)

    async def _tenant(self, caller: Caller, tenant_id: str | None) -> str | None:
        """Return the tenant that is asked about, or None when the request names none. Raises NotFound."""
        wanted = tenant_id or caller.only_tenant
        if wanted is None:
            return None
        if await self._store.get(TenantRecord, wanted, caller.tenancy) is None:
            raise NotFound("There is no such tenant.")
        return wanted

    async def _ask(self, direction: str, asked: Body, tenant_id: str | None, view: type[V]) -> V:
        given = {**asked.model_dump(mode="json", by_alias=True, exclude_none=True), "tenant_id": tenant_id}
        answer = await self._dispatcher.post(f"/api/v1/explain/{direction}", given, ExplanationAway)
        try:
            return view.model_validate(answer)
        except ValidationError:
            raise ExplanationAway("The dispatcher's answer could not be understood.") from None


def explanation_routes(explanations: Explanations) -> list[ApiRoute]:
    """Return the routes of this module."""

    async def outbound(call: Call) -> BaseModel:
        return await explanations.outbound(call.caller, parse(OutboundExplainBody, call.given))

    async def inbound(call: Call) -> BaseModel:
        return await explanations.inbound(call.caller, parse(InboundExplainBody, call.given))

    return [
        _route("outbound", outbound, OutboundExplainBody, OutboundExplanationView),
        _route("inbound", inbound, InboundExplainBody, InboundExplanationView),
    ]


def _route(
    direction: str, handle: Callable[[Call], Awaitable[BaseModel]], body: type[Body], view: type[Shown]
) -> ApiRoute:
    path, summary = f"{PREFIX}/explain/{direction}", f"Tell what would become of an {direction} text, and why"
    return ApiRoute("POST", path, f"explain_{direction}", summary, Scope.READ, handle, view, body=body)
