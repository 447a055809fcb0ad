"""Wraps the handlers of Bandwidth's calls: refusals become answers; faults spoil a call before or after its work."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from carrier_simulator.bandwidth.carrier import SimulatedBandwidth
from carrier_simulator.bandwidth.requests import refusals
from carrier_simulator.bandwidth.requests.refusals import Refusal
from carrier_simulator.carrier.answers import Handler
from carrier_simulator.carrier.faults import Endpoint, Fault, Subject
from carrier_simulator.state import SimulatorState

__all__ = ["BANDWIDTH", "endpoint", "refusal_answer"]

SubjectOf = Callable[[web.Request], Awaitable[Subject]]
Shape = Callable[[Refusal], Refusal]

BANDWIDTH: web.AppKey[SimulatedBandwidth] = web.AppKey("bandwidth", SimulatedBandwidth)


def refusal_answer(refusal: Refusal) -> web.Response:
    """Return the HTTP answer for a refusal."""
    return web.Response(
        status=refusal.status, body=refusal.body, content_type=refusal.content_type, headers=refusal.headers
    )


def endpoint(name: Endpoint, handler: Handler, subject_of: SubjectOf, shape: Shape | None = None) -> Handler:
    """Return the handler of one of Bandwidth's calls: refusals become answers, faults apply, statuses are counted.

    `subject_of` returns what a request is about; it is called only while faults are in force. `shape` changes refusals.
    """

    async def work(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refusal as refusal:
            return refusal_answer(refusal if shape is None else shape(refusal))

    async def answer(request: web.Request) -> web.StreamResponse:
        state = request.app[BANDWIDTH].state
        if state.faults:
            response = await _with_faults(state, name, request, work, subject_of)
        else:
            response = await work(request)
        state.answers[f"{name} {response.status}"] += 1
        return response

    return answer


async def _with_faults(
    state: SimulatorState, name: Endpoint, request: web.Request, work: Handler, subject_of: SubjectOf
) -> web.StreamResponse:
    subject = await subject_of(request)
    fault = state.faults.take(name, "before", subject)
    if fault is not None:
        await state.clock.sleep(fault.delay)
        spoilt = await _spoil(state, fault, request, refusal_answer(refusals.internal_error()))
        if spoilt is not None:
            return spoilt
    response = await work(request)
    if response.status >= 400:  # noqa: PLR2004 - nothing was done, so there is no "after"
        return response
    fault = state.faults.take(name, "after", subject)
    if fault is None:
        return response
    await state.clock.sleep(fault.delay)
    return await _spoil(state, fault, request, response) or response


async def _spoil(
    state: SimulatorState, fault: Fault, request: web.Request, whole: web.StreamResponse
) -> web.StreamResponse | None:
    """Return the bad answer of a fault, or None when the answer is only slow."""
    if fault.kind == "slow":
        return None
    if fault.kind == "cut":
        return _cut(request)
    if fault.kind == "cut_midway":
        return await _cut_midway(request, whole)
    response = refusal_answer(_refusal(state, fault, request))
    if fault.retry_after is not None:
        response.headers["Retry-After"] = fault.retry_after
    return response


def _refusal(state: SimulatorState, fault: Fault, request: web.Request) -> Refusal:
    account = state.accounts.get(request.match_info.get("account_id", ""))
    rate, depth = (1.0, 900.0) if account is None or account.rate == 0 else (account.rate, account.queue_seconds)
    made: dict[str, Callable[[], Refusal]] = {
        "error": lambda: refusals.internal_error(fault.status or 500),
        "html": lambda: refusals.html_page(fault.status or 502),
        "empty": lambda: Refusal(fault.status or 503, b""),
        "queue_full": lambda: refusals.queue_full(rate, depth),
        "unauthorized": refusals.authentication_failed,
        "not_found": lambda: refusals.unknown_path(request.path, state.clock.time()),
    }
    return made[fault.kind]()


def _cut(request: web.Request) -> web.StreamResponse:
    """Reset the connection without a byte of an answer; what is returned can no longer be sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _cut_midway(request: web.Request, whole: web.StreamResponse) -> web.StreamResponse:
    """Announce the whole answer, send half of it and close."""
    body = whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b"{}"
    partial = web.StreamResponse(status=whole.status, headers={"Content-Type": whole.content_type})
    partial.content_length = max(2, len(body))
    await partial.prepare(request)
    await partial.write(body[: len(body) // 2] or b"{")
    if request.transport is not None:
        request.transport.close()
    return partial
