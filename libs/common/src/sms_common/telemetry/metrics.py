"""Every metric of the gateway: its name, its labels, what it means and what to do when it changes.

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

# A local step, in seconds: a broker confirm or a database write takes 1 to 50 ms, and 5 s is the longest anyone waits.
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
    "1 for each part of this process's readiness that is well, 0 for each that is not, as /readyz says with the reason."
    " Looked at when this page is read and when /readyz is.",
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
    "Seconds in which this process could open no more files: new connections were closed unread. Raise the limit of"
    " open files (process_max_fds), or run more processes.",
)

# the public door

webhook_requests_total: Final = _counter(
    "webhook_requests_total",
    "Webhook requests by how they ended. unavailable, timed_out, busy or no_configuration: broker or configuration is"
    " away or slow, and the carrier will repeat them; failed: a bug. unauthorized or unknown_webhook that last: the"
    " carrier's console holds an old URL or old credentials. challenged is a carrier's first call, and normal.",
    "carrier",
    "result",
)
webhook_duration_seconds: Final = _histogram(
    "webhook_duration_seconds",
    "Time from a webhook's arrival to its answer. Act when the 99th percentile passes 2.5 s: at 5 s the request ends as"
    " timed_out, and the carrier sends it again.",
    buckets=_STEP,
)
webhook_events_total: Final = _counter(
    "webhook_events_total",
    "Events inside the webhooks by type. Type `unknown` above zero: the carrier has news that we do not read yet.",
    "carrier",
    "type",
)

# the broker

publish_total: Final = _counter(
    "publish_total",
    "Publishes by outcome: confirmed, returned, nacked, timeout, error, unrouted. Returned: a queue or binding is"
    " missing. Nacked: a queue is full. Timeout: the broker is blocked or slow. Unrouted: confirmed, but only"
    " sms.unrouted took it, since its queue had been deleted; it was published again once that was there.",
    "outcome",
)
broker_connected: Final = _gauge(
    "broker_connected", "1 while this process is connected to RabbitMQ. 0 for long: look at the broker and the network."
)
broker_blocked: Final = _gauge(
    "broker_blocked",
    "1 while RabbitMQ blocks publishers: a memory or disk alarm. Free disk or drain queues; webhooks get 503 then.",
)
topology_missing: Final = _gauge(
    "topology_missing",
    "Exchanges and queues that this process needs and somebody deleted. They are declared again within seconds; above"
    " zero for longer: RabbitMQ refuses that, or no dispatcher runs. /readyz says which.",
)
consumed_total: Final = _counter(
    "consumed_total",
    "Deliveries by kind of queue and result. Many retries: a dependency is away. Dead letters: see dead_letters_total.",
    "queue_kind",
    "result",
)
dead_letters_total: Final = _counter(
    "dead_letters_total",
    "Messages that a service parked in sms.dead, by reason. Any increase needs a person: read the header x-reason,"
    " mend, replay. What RabbitMQ parks by itself is not counted: watch the depth of sms.dead.",
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

# the dispatcher sends

outbound_total: Final = _counter(
    "outbound_total",
    "Outbound requests taken from the PBX by result. A rejection's code that climbs: a PBX sends what cannot be sent.",
    "result",
)
requests_total: Final = _counter(
    "requests_total",
    "What became of the PBXs' requests when they were taken, each message of a list counted once: accepted, rejected,"
    " expired, or repeated (known already). A share of rejected that climbs: a PBX or a configuration is wrong; the log"
    " lines request.rejected and the codes in outbound_total say why.",
    "result",
)
_from_zero(requests_total, "accepted", "rejected", "expired", "repeated")
dispatch_total: Final = _counter(
    "dispatch_total",
    "Calls to a carrier by how they ended. Unknown above zero: see unknown_outcomes. Failures that climb: read the"
    " carrier's codes in the ledger; a refused account pauses its lane until somebody corrects the credentials.",
    "carrier",
    "class",
)
dispatch_duration_seconds: Final = _histogram(
    "dispatch_duration_seconds",
    "Duration of a call to a carrier. Near 25 s: calls are cut, and each one cut is an unknown outcome.",
    "carrier",
    buckets=_CALL,
)
queue_to_carrier_seconds: Final = _histogram(
    "queue_to_carrier_seconds",
    "Time from accepting a message to its first call. High: the lane's pace is below its load, or the lane is paused.",
    buckets=_WAIT,
)
lane_state: Final = _gauge(
    "lane_state",
    "What the circuit breaker of a configuration's lane does: 0 closed, so that messages are sent; 1 half open, one"
    " message is sent as a trial; 2 paused by the carrier; 3 needs intervention; 4 disabled. 3: the carrier refuses the"
    " account; correct the credentials or ask the carrier.",
    "config",
)
lane_segments_total: Final = _counter(
    "lane_segments_total", "Segments handed to a carrier by configuration: its rate is the lane's pace.", "config"
)
lane_backlog: Final = _gauge(
    "lane_backlog",
    "Messages that wait in a configuration's lanes. Growing for long: more is asked than its pace allows.",
    "config",
)
lanes: Final = _gauge(
    "lanes", "Lanes that there are: one for each configuration, and those of former ones in which something may wait."
)
lanes_owned: Final = _gauge(
    "lanes_owned",
    "Lanes that this process works on. Their sum over all below lanes: nobody sends for the others.",
)
lanes_held: Final = _gauge("lanes_held", "The former name of lanes_owned. The next release no longer has it.")
fleet_members: Final = _gauge("fleet_members", "Dispatchers that this one sees at work, itself among them.")
retries_postponed_total: Final = _counter(
    "retries_postponed_total",
    "Retries put off because most of what the lane does is retrying. Climbing: the carrier fails much of what it gets.",
    "config",
)
token_refresh_total: Final = _counter(
    "token_refresh_total",
    "Requests for a carrier's access token: granted, or the code of what went wrong. credentials_refused: correct the"
    " credentials; the others: the token endpoint is away or busy.",
    "result",
)
_from_zero(
    token_refresh_total, "granted", "carrier_busy", "carrier_error", "carrier_unreachable", "credentials_refused"
)

# the dispatcher keeps account and hears from carriers

ledger_batch_size: Final = _histogram(
    "ledger_batch_size", "Writes in one bulk write. Always 1 under load: batching does not work.", buckets=_BATCH
)
ledger_duration_seconds: Final = _histogram(
    "ledger_duration_seconds",
    "Duration of a ledger operation. Above 0.5 s: MongoDB is short of memory, disk speed or an index.",
    "operation",
    buckets=_STEP,
)
unknown_outcomes: Final = _gauge(
    "unknown_outcomes",
    "Messages whose carrier answer was lost and that no receipt has settled yet. Growing: page somebody.",
)
reconciled_total: Final = _counter(
    "reconciled_total",
    "Lost answers looked for in a carrier's list of messages: settled, open (none or several are alike) or failed.",
    "result",
)
undetermined_total: Final = _counter(
    "undetermined_total",
    "Messages of which nothing was heard within the receipt window. Climbing: the carrier's application is not linked"
    " to the number, or its webhook does not come here.",
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
    "What receipts said of messages that they advanced: sent, delivered or failed. A share of failed that climbs: read"
    " the carrier's codes in the message history.",
    "carrier",
    "status",
)
inbound_total: Final = _counter("inbound_total", "Inbound messages by result; duplicates are normal.", "result")
_from_zero(inbound_total, "blocked")
unrouted_total: Final = _counter(
    "unrouted_total",
    "Inbound messages to a DID that no tenant owns. Any increase: add it to a trunk. Messages wait in sms.unrouted.",
)

# the config service and its readers

config_snapshot_age_seconds: Final = _gauge(
    "config_snapshot_age_seconds",
    "Seconds since the config service last confirmed the snapshot. Above 120: it is away; the old snapshot serves on.",
)
secret_key_records: Final = _gauge(
    "secret_key_records",
    "Records whose secrets are encrypted under a key of the ring. A key may leave the ring once its count is 0.",
    "key",
)
