"""What is mutated, and which tests have to notice."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """Modules by their dotted names, and the tests by their paths. The tests need no broker and no database."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


TARGETS = {
    "ledger": Target(
        ("sms_dispatcher.ledger.entries",),
        (
            "tests/dispatcher/ledger/test_entries.py",
            "tests/dispatcher/delivery/test_statuses.py",
            "tests/dispatcher/carrier_events/test_handler.py",
            "tests/dispatcher/requests/test_planning.py",
            "tests/dispatcher/requests/test_handler_repeats.py",
            "tests/dispatcher/requests/test_handler.py",
            "tests/dispatcher/requests/test_handler_cancel.py",
        ),
    ),
    "classifier": Target(
        ("sms_common.carriers.bandwidth.answers", "sms_common.carriers.bandwidth.codes"),
        ("tests/common/carriers/bandwidth/test_answers.py", "tests/common/carriers/bandwidth/test_codes.py"),
    ),
    "bucket": Target(("sms_dispatcher.lanes.token_bucket",), ("tests/dispatcher/lanes/test_token_bucket.py",)),
    "authentication": Target(
        ("sms_common.carriers.webhook_authentication",), ("tests/common/carriers/test_webhook_authentication.py",)
    ),
    "redaction": Target(("sms_common.telemetry.redaction",), ("tests/common/telemetry/test_redaction.py",)),
}

EQUIVALENT: dict[tuple[str, str], str] = {}
"""Mutants that nothing can tell from the original, by module and mistake, and why."""
