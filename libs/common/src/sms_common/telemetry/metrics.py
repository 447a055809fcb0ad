"""Every metric of the gateway: its name, its labels, what it means, and what to do when it changes.

/metrics shows the documentation of each metric, and operators read it there. Labels have few values: carriers,
configurations, queues, results; never a number or a message id.
"""

import platform
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from sms_common.version import VERSION

registry: Final = CollectorRegistry()
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)
GCCollector(registry=registry)

# A local step, in seconds: a broker confirm or a database write takes 1 to 50 ms; nothing waits longer than 5 s.
_STEP: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# A call to a carrier, in seconds: usually 50 to 500 ms, cut at 25 s.
_CALL: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 25.0, 40.0)
# A wait because of the rate limit, in seconds: from none to hours of backlog.
_WAIT: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
_BATCH: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def _counter(name: str, says: str, *labels: str) -> Counter:
    return Counter(f"smsgw_{name}", says, labels, registry=registry)


def _from_zero(counter: Counter, *values: str) -> None:
    """Show these series from the start, at 0: Prometheus sees no increase in a counter that appears at 1."""
    for value in values:
        counter.labels(value)


def _gauge(name: str, says: str, *labels: str) -> Gauge:
    return Gauge(f"smsgw_{name}", says, labels, registry=registry)


def _histogram(name: str, says: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
    return Histogram(f"smsgw_{name}", says, labels, registry=registry, buckets=buckets)


ready: Final = _gauge(
    "ready",
    "1 for each part of this process that is ready, 0 for each that is not. /readyz gives the reason. Checked whenever"
    " /metrics or /readyz is read.",
    "part",
)


def render() -> bytes:
    """Return all metrics in Prometheus' text format."""
    return generate_latest(registry)


# the process

build_info: Final = _gauge(
    "build_info", "Always 1; its labels say which version runs, on which Python.", "version", "python"
)
build_info.labels(VERSION, platform.python_version()).set(1)

file_limit_reached_total: Final = _counter(
    "file_limit_reached_total",
    "Seconds during which this process had reached its limit of open files, so that it closed new connections unread."
    " Raise the limit (process_max_fds), or run more processes.",
)

# webhooks

webhook_requests_total: Final = _counter(
    "webhook_requests_total",
    "Webhook requests by result. unavailable, timed_out, busy, no_configuration: the broker or the configuration is"
    " unavailable or slow, and the carrier will repeat the request. failed: a bug. unauthorized or unknown_webhook for"
    " long: the carrier's console has an old URL or old credentials. challenged: a carrier's first call, which is"
    " normal.",
    "carrier",
    "result",
)
webhook_duration_seconds: Final = _histogram(
    "webhook_duration_seconds",
    "Time from a webhook's arrival to its answer. Act when the 99th percentile exceeds 2.5 s: at 5 s the request ends"
    " as timed_out, and the carrier sends it again.",
    buckets=_STEP,
)
webhook_events_total: Final = _counter(
    "webhook_events_total",
    "Events in the webhooks by type. Type `unknown` above zero: the carrier sends a type of event that this version"
    " does not know.",
    "carrier",
    "type",
)

# the broker

publish_total: Final = _counter(
    "publish_total",
    "Publishes by outcome: confirmed, returned, nacked, timeout, error, unrouted. Returned: a queue or binding is"
    " missing. Nacked: a queue is full. Timeout: the broker is blocked or slow. Unrouted: confirmed, but only"
    " sms.unrouted got it, because its queue had been deleted. It is published again when the queue exists.",
    "outcome",
)
broker_connected: Final = _gauge(
    "broker_connected", "1 while this process is connected to RabbitMQ. 0 for long: check the broker and the network."
)
broker_blocked: Final = _gauge(
    "broker_blocked",
    "1 while RabbitMQ blocks publishers because of a memory or disk alarm; webhooks then get 503. Free disk space or"
    " drain queues.",
)
topology_missing: Final = _gauge(
    "topology_missing",
    "Exchanges and queues that this process needs and that do not exist. They are declared again within seconds. Above"
    " zero for longer: RabbitMQ refuses the declaration, or no dispatcher runs. /readyz names them.",
)
consumed_total: Final = _counter(
    "consumed_total",
    "Deliveries by kind of queue and result. Many retries: a dependency is unavailable. Dead letters have their own"
    " metric, dead_letters_total.",
    "queue_kind",
    "result",
)
dead_letters_total: Final = _counter(
    "dead_letters_total",
    "Messages that a service parked in sms.dead, by reason. Any increase needs manual intervention: read the header"
    " x-reason, correct the cause, replay. Messages that RabbitMQ itself moves there are not counted: watch the depth"
    " of sms.dead.",
    "reason",
)
# Every code of a dead letter. What RabbitMQ itself dead-letters has no code and is not counted here.
_from_zero(
    dead_letters_total,
    "account_unproved",
    "body_too_large",
    "handler_failed",
    "invalid_media",
    "invalid_request",
    "not_json",
    "not_utf8",
    "retries_exhausted",
    "tenant_mismatch",
    "unknown_message",
    "unknown_type",
    "unmatched_receipt",
    "webhook_not_handled",
    "webhook_unreadable",
)

# sending

outbound_total: Final = _counter(
    "outbound_total",
    "Outbound requests of the PBXs by result. The code of a rejection rises: a PBX sends requests with this fault.",
    "result",
)
requests_total: Final = _counter(
    "requests_total",
    "Results of the PBXs' requests, counted once for each message of a list: accepted, rejected, expired, or repeated"
    " (already known). The share of rejected rises: a PBX or a configuration is wrong; the log event request.rejected"
    " and the codes in outbound_total say why.",
    "result",
)
_from_zero(requests_total, "accepted", "rejected", "expired", "repeated")
dispatch_total: Final = _counter(
    "dispatch_total",
    "Calls to a carrier by result. Unknown above zero: watch unknown_outcomes. Failures rise: read the carrier's codes"
    " in the message history. A refused account pauses its lane until somebody corrects the credentials.",
    "carrier",
    "class",
)
dispatch_duration_seconds: Final = _histogram(
    "dispatch_duration_seconds",
    "Duration of a call to a carrier. Near 25 s: calls are cut off, and the outcome of each is unknown.",
    "carrier",
    buckets=_CALL,
)
queue_to_carrier_seconds: Final = _histogram(
    "queue_to_carrier_seconds",
    "Time from accepting a message to the first call to the carrier. High: the lane gets more than its pace allows, or"
    " it is paused.",
    buckets=_WAIT,
)
lane_state: Final = _gauge(
    "lane_state",
    "What the circuit breaker of a configuration's lane does: 0 closed, so that messages are sent; 1 half open, one"
    " message is sent as a trial; 2 paused by the carrier; 3 needs intervention; 4 disabled. 3: the carrier refuses"
    " the account; correct the credentials or ask the carrier.",
    "config",
)
lane_segments_total: Final = _counter(
    "lane_segments_total",
    "Segments sent to a carrier, by configuration. Its rate is the actual pace of the lane.",
    "config",
)
lane_backlog: Final = _gauge(
    "lane_backlog",
    "Messages waiting in a configuration's lanes. Growing for long: it gets more than its pace allows.",
    "config",
)
lanes: Final = _gauge(
    "lanes", "All lanes: one for each configuration, and those of deleted configurations in which messages may wait."
)
lanes_owned: Final = _gauge(
    "lanes_owned",
    "Lanes that this process owns. Their sum over all processes is below `lanes`: nobody sends for the other lanes.",
)
lanes_held: Final = _gauge("lanes_held", "The former name of lanes_owned. It is removed in the next release.")
fleet_members: Final = _gauge("fleet_members", "Live dispatchers that this one knows of, including itself.")
retries_postponed_total: Final = _counter(
    "retries_postponed_total",
    "Retries postponed because most sends of the lane are retries. Rising: many calls to the carrier fail.",
    "config",
)
token_refresh_total: Final = _counter(
    "token_refresh_total",
    "Requests for a carrier's access token: granted, or the code of the failure. credentials_refused: correct the"
    " credentials. The others: the token endpoint is unavailable or busy.",
    "result",
)
_from_zero(
    token_refresh_total, "granted", "carrier_busy", "carrier_error", "carrier_unreachable", "credentials_refused"
)

# the ledger, receipts and inbound messages

ledger_batch_size: Final = _histogram(
    "ledger_batch_size", "Records in one bulk write. Always 1 under load: batching does not work.", buckets=_BATCH
)
ledger_duration_seconds: Final = _histogram(
    "ledger_duration_seconds",
    "Duration of a ledger operation. Above 0.5 s: MongoDB lacks memory, a faster disk or an index.",
    "operation",
    buckets=_STEP,
)
unknown_outcomes: Final = _gauge(
    "unknown_outcomes",
    "Messages for which the carrier's answer was lost and no receipt has come yet. Growing: needs manual intervention.",
)
reconciled_total: Final = _counter(
    "reconciled_total",
    "Messages with a lost answer that were looked up in the carrier's list: settled, open (no match or several) or"
    " failed.",
    "result",
)
undetermined_total: Final = _counter(
    "undetermined_total",
    "Messages without a receipt within the receipt window. Rising: the carrier's application is not linked to the"
    " number, or its webhook has another address.",
    "config",
)
receipts_total: Final = _counter(
    "receipts_total",
    "Delivery receipts by result. Unmatched above zero: receipts for messages that this gateway did not send.",
    "carrier",
    "result",
)
receipt_statuses_total: Final = _counter(
    "receipt_statuses_total",
    "New statuses of messages from receipts: sent, delivered or failed. The share of failed rises: read the carrier's"
    " codes in the message history.",
    "carrier",
    "status",
)
inbound_total: Final = _counter("inbound_total", "Inbound messages by result; duplicates are normal.", "result")
_from_zero(inbound_total, "blocked")
unrouted_total: Final = _counter(
    "unrouted_total",
    "Inbound messages to a DID that no tenant owns. Any increase: add the number to a trunk, then replay the messages"
    " from sms.unrouted.",
)

# the config service and its readers

config_snapshot_age_seconds: Final = _gauge(
    "config_snapshot_age_seconds",
    "Seconds since the config service last confirmed the snapshot. Above 120: it is unavailable, and the old snapshot"
    " stays in use.",
)
secret_key_records: Final = _gauge(
    "secret_key_records",
    "Records whose secrets are encrypted with this key of the ring. Remove a key from the ring only when its count is"
    " 0.",
    "key",
)
