"""What a webhook adds to the metrics."""

import pytest

from sms_common.telemetry import metrics
from sms_ingress.answers import WebhookOutcome
from sms_ingress.meters import count, count_stray
from sms_ingress.reading import read
from tests.ingress.carrier_says import ENDPOINT, INBOUND, NOW, RECEIPT, Saying


def value(name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"smsgw_{name}", labels) or 0.0


@pytest.mark.parametrize(
    ("said", "unreadable", "kept"), [((RECEIPT, INBOUND), (), 0), ((RECEIPT,), ("Element 2: it is no object.",), 1)]
)
def test_a_webhook_is_counted_with_its_events_and_its_dead_letter(said, unreadable, kept):
    counters = [
        ("webhook_requests_total", {"carrier": "metered", "result": "accepted"}, 1),
        ("webhook_events_total", {"carrier": "metered", "type": "message-failed"}, 1),
        ("webhook_events_total", {"carrier": "metered", "type": "message-received"}, len(said) - 1),
        ("dead_letters_total", {"reason": "webhook_unreadable"}, kept),
        ("webhook_duration_seconds_count", {}, 1),
    ]
    before = [value(name, **labels) for name, labels, _ in counters]

    count("metered", WebhookOutcome.ACCEPTED, read(Saying(*said, unreadable=unreadable), b"", ENDPOINT, NOW), 0.1)

    added = [value(name, **labels) - earlier for (name, labels, _), earlier in zip(counters, before, strict=True)]
    assert added == [expected for _, _, expected in counters]


def test_what_is_no_webhook_is_counted_for_no_carrier():
    labels = {"carrier": "unknown", "result": "not_found"}
    before = value("webhook_requests_total", **labels)

    count_stray(WebhookOutcome.NOT_FOUND)

    assert value("webhook_requests_total", **labels) == before + 1
