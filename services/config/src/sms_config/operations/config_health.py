"""The health of each SMS configuration: its state, its lane, and whether webhooks arrive."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from sms_common.events import SeenWebhook
from sms_config.access.auth import Caller
from sms_config.model.problems import DispatcherAway, NotFound
from sms_config.model.query import Clause, Query
from sms_config.operations.dispatcher_client import DispatcherClient
from sms_config.resources.configs import SmsConfigs
from sms_config.schemas.views import LaneView, SmsHealthView, SmsView, WebhookSeenView
from sms_config.storage.store_protocol import Store

# Results that were answered 200. Some of these webhooks lie among the dead letters.
_TAKEN = frozenset({"accepted", "not_handled", "unreadable"})
_UNREADABLE = "unreadable"
_CHALLENGED, _UNAUTHORIZED = "challenged", "unauthorized"
# The clocks of several machines differ a little.
_SKEW = timedelta(seconds=5)
# A carrier answers a challenge with its credentials at once, and ingress reports within 10 s.
_ANSWERED_BY = timedelta(seconds=30)
# The rest is known without the dispatcher, so its answer is not waited for long.
_LANES_TIMEOUT_SECONDS = 2.0

Health = Literal["ok", "never_seen", "failing", "draft", "disabled"]
_Verdict = tuple[Health, str, str]


class ConfigHealth:
    """Reports the health of SMS configurations."""

    def __init__(
        self, store: Store, configs: SmsConfigs, dispatcher: DispatcherClient, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._configs = configs
        self._dispatcher = dispatcher
        self._clock = clock

    async def of(self, caller: Caller, config_ids: Sequence[str]) -> list[SmsHealthView]:
        """Return the health of the configurations that the caller may see."""
        query = Query((Clause("id", "in", tuple(config_ids)),), top=len(config_ids))
        found = await self._configs.find(caller, query)
        theirs = [record.id for record in found.items]
        webhooks: dict[str, list[SeenWebhook]] = {}
        for one in await self._store.latest_webhooks(theirs):
            webhooks.setdefault(one.config_id, []).append(one)
        lanes = await self._lanes(theirs)
        now = self._clock()
        return [
            health(config, webhooks.get(config.id, ()), lanes.get(config.id), now)
            for config in await self._configs.views(found.items)
        ]

    async def _lanes(self, config_ids: Sequence[str]) -> Mapping[str, LaneView]:
        """Return the stalled lanes, by configuration; none when the dispatcher does not answer in time."""
        if not config_ids:
            return {}
        try:
            async with asyncio.timeout(_LANES_TIMEOUT_SECONDS):
                answer = await self._dispatcher.get("/api/v1/lanes", {"ids": ",".join(config_ids)}, DispatcherAway)
            return {one["config_id"]: LaneView.model_validate(one) for one in answer["items"]}
        except (TimeoutError, DispatcherAway, NotFound, KeyError, TypeError, ValueError):
            return {}


def health(config: SmsView, webhooks: Iterable[SeenWebhook], lane: LaneView | None, now: datetime) -> SmsHealthView:
    """Judge an SMS configuration by its state, its lane and the newest webhook of each result. Pure."""
    by_time = sorted(webhooks, key=lambda one: one.at)
    taken = next((one for one in reversed(by_time) if one.result in _TAKEN), None)
    refused = next((one for one in reversed(by_time) if one.result not in _TAKEN), None)
    verdict, code, says = _not_active(config) or _stalled(lane) or _webhooks(taken, refused, now)
    return SmsHealthView(
        config_id=config.id,
        tenant_id=config.tenant_id,
        health=verdict,
        code=code,
        says=says,
        last_webhook=_view(taken),
        last_refused=_view(refused),
        lane=lane,
    )


def _not_active(config: SmsView) -> _Verdict | None:
    if config.state == "draft":
        return "draft", "config_incomplete", "Credentials are missing; nothing is sent until they are there."
    if config.state == "disabled":
        return "disabled", "config_disabled", "It is switched off: texts that were accepted wait."
    return None


def _stalled(lane: LaneView | None) -> _Verdict | None:
    if lane is None:
        return None
    reason = lane.reason.rstrip(".")
    if lane.why == "person":
        return "failing", lane.code, f"Texts wait until somebody mends this: {reason}. It goes on by itself then."
    return "failing", "lane_paused", f"Texts wait for a while: {reason}."


def _webhooks(taken: SeenWebhook | None, refused: SeenWebhook | None, now: datetime) -> _Verdict:
    trouble = _refusal(taken, refused, now)
    if trouble is not None:
        return trouble
    if taken is None:
        says = "No webhook has come yet. Enter the address at the carrier, then write to one of the numbers."
        return "never_seen", "never_seen", says
    if taken.result == _UNREADABLE:
        return (
            "failing",
            "webhook_unreadable",
            "The last webhook could not be understood; it is among the dead letters.",
        )
    return "ok", "ok", "Webhooks arrive."


def _refusal(taken: SeenWebhook | None, refused: SeenWebhook | None, now: datetime) -> _Verdict | None:
    """Return what is wrong when the newest webhook was refused."""
    if refused is None or (taken is not None and refused.at < taken.at + _SKEW):
        return None
    if refused.result == _CHALLENGED:
        if now - refused.at < _ANSWERED_BY:
            return None  # the credentials are on their way
        says = "Webhooks come without user and password: enter the callback credentials at the carrier."
        return "failing", "webhook_unauthorized", says
    if refused.result == _UNAUTHORIZED:
        says = "Webhooks come with another user or password: make the callback credentials the same here and there."
        return "failing", "webhook_unauthorized", says
    says = f"The last webhook was answered {refused.status}; the carrier repeats it for a day."
    return "failing", "webhook_not_taken", says


def _view(webhook: SeenWebhook | None) -> WebhookSeenView | None:
    if webhook is None:
        return None
    return WebhookSeenView(
        at=webhook.at, result=webhook.result, status=webhook.status, kind=webhook.kind, source=webhook.source
    )
