"""The route that tells which carriers there are and what their accounts are configured by."""

from collections.abc import Mapping

from sms_common.carriers.declaration import Declaration
from sms_config.http.requests import Call
from sms_config.http.routes import PREFIX, ApiRoute
from sms_config.schemas.carriers import CarriersView


def carrier_routes(declared: Mapping[str, Declaration]) -> list[ApiRoute]:
    """Make the one route: what is declared does not change while the process runs."""
    shown = CarriersView.of(declared)

    async def list_all(_: Call) -> CarriersView:
        return shown

    summary = "List carriers with their credentials, limits and set-up steps"
    return [
        ApiRoute("GET", f"{PREFIX}/carriers", "list_carriers", summary, None, list_all, CarriersView, any_scope=True)
    ]
