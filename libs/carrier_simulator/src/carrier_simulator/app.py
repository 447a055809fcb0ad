"""The web application: Bandwidth's routes, the control API, and the answers to every other request."""

from collections.abc import AsyncIterator

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from carrier_simulator.bandwidth import api
from carrier_simulator.bandwidth.endpoints import BANDWIDTH, refusal_answer
from carrier_simulator.bandwidth.requests.refusals import (
    Refusal,
    in_multichannel_shape,
    internal_error,
    method_not_allowed,
    too_large,
    unknown_path,
)
from carrier_simulator.carrier.answers import json_answer
from carrier_simulator.control import routes
from carrier_simulator.control.access import SIMULATOR
from carrier_simulator.simulator import Simulator
from sms_common.telemetry import code_places

__all__ = ["create_app"]

log = structlog.get_logger(__name__)


def create_app(simulator: Simulator) -> web.Application:
    """Return the application that serves a simulator, and that starts and stops it."""
    app = web.Application(middlewares=[_unexpected], client_max_size=api.MAX_BODY)
    app[SIMULATOR] = simulator
    app[BANDWIDTH] = simulator.bandwidth
    app.add_routes([*api.routes(), *routes.routes(), web.get("/healthz", _healthz)])
    app.cleanup_ctx.append(_run)
    return app


async def _run(app: web.Application) -> AsyncIterator[None]:
    await app[SIMULATOR].start()
    yield
    await app[SIMULATOR].stop()


async def _healthz(_: web.Request) -> web.Response:
    return json_answer(200, {"status": "ok"})


def _in_shape(request: web.Request, refusal: Refusal) -> Refusal:
    return in_multichannel_shape(refusal) if request.path.endswith("/messages/multiChannel") else refusal


def _known(method: str) -> str:
    """The method for an answer; a client may call one by any word, also by a secret."""
    return method if method in hdrs.METH_ALL else "UNKNOWN"


@web.middleware
async def _unexpected(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer unknown paths, wrong methods, oversized bodies and failures of the simulator as Bandwidth would."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return refusal_answer(unknown_path(request.path, request.app[SIMULATOR].clock.time()))
    except web.HTTPMethodNotAllowed as error:
        return refusal_answer(_in_shape(request, method_not_allowed(_known(error.method), error.headers["Allow"])))
    except web.HTTPRequestEntityTooLarge:
        return refusal_answer(_in_shape(request, too_large()))
    except (web.HTTPException, web.RequestPayloadError):
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, the client gets Bandwidth's 500
        # Without the exception's own words, which may quote the request.
        log.error("request.failed", error=type(error).__name__, where=code_places(error))  # noqa: TRY400
        return refusal_answer(_in_shape(request, internal_error()))
