"""Every metric has its prefix, unit and help text, and starts at zero where an alert counts increases."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sms_common.errors import Code
from sms_common.telemetry import metrics


def test_metrics_have_their_prefix_units_and_a_sentence_that_says_what_to_do():
    families = [family for family in metrics.registry.collect() if family.name.startswith("smsgw_")]
    assert len(families) >= 20
    for family in families:
        assert len(family.documentation) > 40
        if family.type == "histogram":
            assert family.name.endswith(("_seconds", "_size"))


def test_metrics_are_rendered_with_those_of_the_process():
    metrics.publish_total.labels("confirmed").inc()
    metrics.webhook_duration_seconds.observe(0.02)
    text = metrics.render().decode()
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"smsgw_publish", "smsgw_webhook_duration_seconds", "process_open_fds", "python_info"} <= names
    assert 'smsgw_publish_total{outcome="confirmed"}' in text


def test_counters_are_written_with_total():
    written = re.findall(r'_counter\(\s*"(\w+)"', Path(metrics.__file__).read_text(encoding="utf-8"))
    assert len(written) >= 11
    assert all(name.endswith("_total") for name in written)


def codes_of_dead_letters():
    """Every code that the sources give to what is parked in sms.dead."""
    root = Path(__file__).parents[3]
    sources = sorted([*root.glob("libs/common/src/**/*.py"), *root.glob("services/*/src/**/*.py")])
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    named = re.findall(r"(?:UnreadableEvent\(|_dead\(\s*delivery,|letter,)\s*Code\.(\w+)", text)
    # That of a cancel that is refused is its rejection's own, and that of a media address its reader's.
    return {Code[name].value for name in [*named, "TENANT_MISMATCH", "INVALID_MEDIA"]}


def shown(name):
    """The label's values of a counter's series, as a process shows them that has counted nothing yet."""
    code = "from sms_common.telemetry import metrics; print(metrics.render().decode())"
    text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {next(iter(sample.labels.values())) for sample in samples if sample.name == name and sample.value == 0}


def test_the_first_dead_letter_of_each_reason_is_an_increase():
    assert shown("smsgw_dead_letters_total") == codes_of_dead_letters()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("smsgw_token_refresh_total", {"granted", "carrier_unreachable", "credentials_refused"}),
        ("smsgw_inbound_total", {"blocked"}),
        ("smsgw_requests_total", {"accepted", "rejected", "expired", "repeated"}),
    ],
)
def test_the_first_of_what_an_alert_counts_is_an_increase(name, values):
    assert values <= shown(name)
