"""The metrics of webhooks. Each labelled series is looked up once: that costs more than counting."""

from functools import cache

from prometheus_client import Counter

from sms_common.telemetry import metrics
from sms_ingress.answers import WebhookOutcome
from sms_ingress.reading import UNKNOWN, Reading


def count(carrier: str, outcome: WebhookOutcome, reading: Reading | None, seconds: float) -> None:
    """Count one webhook and its events. `seconds` is how long the answer took."""
    _requests(carrier, outcome).inc()
    metrics.webhook_duration_seconds.observe(seconds)
    if reading is None:
        return
    for kind in reading.kinds:
        _events(carrier, kind).inc()
    if reading.kept_for is not None:
        metrics.dead_letters_total.labels(reading.kept_for.value).inc()


def count_stray(outcome: WebhookOutcome) -> None:
    """Count a request that is no webhook: it has another path or another method."""
    _requests(UNKNOWN, outcome).inc()


@cache
def _requests(carrier: str, outcome: WebhookOutcome) -> Counter:
    return metrics.webhook_requests_total.labels(carrier, outcome.word)


@cache
def _events(carrier: str, kind: str) -> Counter:
    return metrics.webhook_events_total.labels(carrier, kind)
