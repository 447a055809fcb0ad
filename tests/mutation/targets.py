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
            "tests/dispatcher/test_entries.py",
            "tests/dispatcher/test_carrier_events.py",
            "tests/dispatcher/test_planning.py",
            "tests/dispatcher/test_repeats.py",
            "tests/dispatcher/test_outbound.py",
            "tests/dispatcher/test_withdrawal.py",
        ),
    ),
    "classifier": Target(
        ("sms_common.carriers.bandwidth.answers", "sms_common.carriers.bandwidth.codes"),
        ("tests/common/carriers/bandwidth/test_answers.py", "tests/common/carriers/bandwidth/test_codes.py"),
    ),
    "bucket": Target(("sms_dispatcher.lanes.token_bucket",), ("tests/dispatcher/test_pace.py",)),
    "authentication": Target(("sms_common.carriers.basic_auth",), ("tests/common/carriers/test_basic_auth.py",)),
    "redaction": Target(("sms_common.telemetry.redaction",), ("tests/common/test_telemetry.py",)),
}

EQUIVALENT: dict[tuple[str, str], str] = {}
"""Mutants that nothing can tell from the original, by module and mistake, and why."""
