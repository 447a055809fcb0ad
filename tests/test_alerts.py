"""The rules for Prometheus name what there is, and the page of alerts has a section for each."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from sms_common import topology
from sms_common.configuration import DEFAULT_PBX
from sms_common.telemetry import metrics
from sms_ingress.answers import WebhookOutcome
from smsgw.doctor import services

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
SECTIONS = dict(re.findall(r"^## (Sms\w+)\n\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
OF_THE_TARGET = {"instance", "job"}
of_each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


def labels_of_samples() -> dict[str, set[str]]:
    """The labels of every sample that a metric of the gateway has, by the sample's name."""
    found: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            name, labels = metric._name, set(metric._labelnames)
            if isinstance(metric, Counter):
                found[f"{name}_total"] = labels
            elif isinstance(metric, Gauge):
                found[name] = labels
            elif isinstance(metric, Histogram):
                found |= {f"{name}_count": labels, f"{name}_sum": labels, f"{name}_bucket": {*labels, "le"}}
    return found


def selectors(expression: str) -> Iterable[tuple[str, dict[str, str]]]:
    """Each metric that an expression reads, with what it asks of labels."""
    for name, matchers in re.findall(r"\b((?:smsgw|rabbitmq|node)_\w+|up)\b(?:\{([^}]*)\})?", expression):
        yield name, dict(re.findall(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"', matchers))


def matched(alert: str, label: str) -> set[str]:
    """What a rule asks of a label."""
    (rule,) = (rule for rule in RULES if rule["alert"] == alert)
    return {matchers[label] for _, matchers in selectors(rule["expr"]) if label in matchers}


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as they are made where the page is shown."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@of_each_rule
def test_a_rule_reads_metrics_that_exist_by_labels_that_they_have(rule):
    known = labels_of_samples()
    read = list(selectors(rule["expr"]))
    ours = {name: matchers for name, matchers in read if name.startswith("smsgw_")}
    grouped = {
        label.strip() for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"]) for label in labels.split(",")
    }
    told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))

    assert read != []
    for name, matchers in ours.items():
        assert set(matchers) <= known[name] | OF_THE_TARGET
        assert grouped <= known[name] | OF_THE_TARGET
    assert told <= (grouped or {label for name in ours for label in known[name]} | {*OF_THE_TARGET, "mountpoint"})


@of_each_rule
def test_a_rule_says_how_soon_what_and_where_to_read_on(rule):
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")

    assert SECTIONS[rule["alert"]].startswith(f"**{rule['labels']['severity']}**, when ")
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"] != ""
    assert page == "{{ $externalLabels.runbooks }}docs/alerts.md"
    assert (anchor, anchor in anchors(PAGE)) == (rule["alert"].lower(), True)


def test_the_page_and_the_file_list_the_same_alerts():
    assert list(SECTIONS) == [rule["alert"] for rule in RULES]


def test_each_section_of_the_page_names_the_metrics_of_its_rule():
    for rule in RULES:
        names = {re.sub("_bucket$", "", name) for name, _ in selectors(rule["expr"]) if name.startswith("smsgw_")}
        assert [name for name in names if f"`{name}" not in SECTIONS[rule["alert"]]] == []


@of_each_rule
def test_each_section_of_the_page_links_to_the_runbook_or_to_the_codes(rule):
    assert re.search(r"\]\((?:runbook|codes)\.md#[\w-]+\)", SECTIONS[rule["alert"]])


def test_webhooks_fail_where_ingress_is_at_fault():
    (words,) = matched("SmsWebhooksFail", "result")

    assert sorted(words.split("|")) == sorted(outcome.word for outcome in WebhookOutcome if outcome.status >= 500)


@pytest.mark.parametrize(
    ("alert", "queues"),
    [
        ("SmsRequestsGrow", {topology.OUTBOUND, topology.outbound_queue("acme")}),
        ("SmsCarrierEventsGrow", {topology.CARRIER}),
        ("SmsPbxBacklog", {topology.pbx_inbound_queue(DEFAULT_PBX), topology.pbx_status_queue(DEFAULT_PBX)}),
        ("SmsPbxNotReading", {topology.pbx_inbound_queue(DEFAULT_PBX), topology.pbx_status_queue(DEFAULT_PBX)}),
        ("SmsParked", {topology.DEAD, topology.UNROUTED, topology.REFUSED}),
    ],
)
def test_a_rule_looks_at_the_queues_that_it_is_for_and_at_no_others(alert, queues):
    there = topology.joined((topology.base(), topology.tenant("acme"), topology.lane("c1")))
    (pattern,) = matched(alert, "queue")

    assert {queue.name for queue in there.queues if re.fullmatch(pattern, queue.name)} == queues


def test_the_doctor_and_the_alert_call_the_same_configuration_old():
    (rule,) = (rule for rule in RULES if rule["alert"] == "SmsConfigurationOld")

    assert float(rule["expr"].rpartition(">")[2]) == services._OLDEST_SNAPSHOT
    assert f"Above {services._OLDEST_SNAPSHOT:.0f}:" in metrics.config_snapshot_age_seconds._documentation


def test_the_page_shows_the_scrape_jobs_that_the_rules_want():
    (block,) = re.findall(r"```yaml\n(rule_files.*?)```", PAGE, re.DOTALL)
    jobs = {job["job_name"]: job for job in yaml.safe_load(block)["scrape_configs"]}
    (wanted,) = matched("SmsTargetDown", "job")

    assert set(jobs) == set(wanted.split("|"))
    assert jobs["sms-rabbitmq"]["params"] == {"family": ["queue_coarse_metrics", "queue_consumer_count"]}


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [("## Is it well", "is-it-well"), ("### The carrier's call", "the-carriers-call"), ("# A, b - c", "a-b---c")],
)
def test_an_anchor_is_made_of_its_heading(heading, anchor):
    assert anchors(heading) == {anchor}
