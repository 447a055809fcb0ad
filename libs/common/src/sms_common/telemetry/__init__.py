"""Log lines, which are redacted, and metrics. Every metric's name is in `metrics`."""

from sms_common.telemetry import metrics
from sms_common.telemetry.logs import LogFormat, LogLevel, bind_log_context, clear_log_context, configure
from sms_common.telemetry.redaction import redact, redact_text
from sms_common.telemetry.traceback_places import code_places

__all__ = [
    "LogFormat",
    "LogLevel",
    "bind_log_context",
    "clear_log_context",
    "code_places",
    "configure",
    "metrics",
    "redact",
    "redact_text",
]
