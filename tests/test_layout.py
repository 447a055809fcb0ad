"""The house is in order: folders are small, names mean one thing, and a module's test is found by its name."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
SOURCES = {
    "sms_common": ROOT / "libs/common/src/sms_common",
    "carrier_simulator": ROOT / "libs/carrier_simulator/src/carrier_simulator",
    "smsgw": ROOT / "libs/cli/src/smsgw",
    "sms_ingress": ROOT / "services/ingress/src/sms_ingress",
    "sms_dispatcher": ROOT / "services/dispatcher/src/sms_dispatcher",
    "sms_config": ROOT / "services/config/src/sms_config",
    "sms_native": ROOT / "deploy/native/src/sms_native",
}
TESTED_IN = {
    "sms_common": "common",
    "carrier_simulator": "simulator",
    "smsgw": "cli",
    "sms_ingress": "ingress",
    "sms_dispatcher": "dispatcher",
    "sms_config": "config",
    "sms_native": "native",
}
# About a dozen modules in a folder, so that one look takes it in. These two are one idea each, and may have more.
MOST_MODULES = 13
LARGER = {"sms_config/resources": 15, "sms_dispatcher/lanes": 15}

# Modules that have no test of their own name: what they need to run, types and constants. Their tests are here.
TESTED_ELSEWHERE = {
    "sms_common/broker/amqp/browsing.py": "tests/integration/test_broker_browsing.py",
    "sms_common/broker/amqp/consuming.py": "tests/integration/test_broker_contract.py",
    "sms_common/broker/amqp/listening.py": "tests/integration/test_broker_repair.py",
    "sms_common/broker/amqp/publishing.py": "tests/integration/test_broker_publishing.py",
    "sms_common/broker/amqp/rabbit.py": "tests/integration/test_broker_contract.py",
    "sms_common/broker/amqp/settling.py": "tests/integration/test_broker_faults.py",
    "sms_common/carriers/bandwidth/declaration.py": "tests/config/http/test_carrier_routes.py",
    "sms_common/carriers/bandwidth/media.py": "tests/common/carriers/bandwidth/test_webhooks_bodies.py",
    "sms_common/carriers/declaration.py": "tests/config/http/test_carrier_routes.py",
    "sms_common/carriers/exchange.py": "tests/common/carriers/bandwidth/test_sending_network_failures.py",
    "sms_common/carriers/webhook_json.py": "tests/common/carriers/bandwidth/test_webhooks_bodies.py",
    "sms_common/input/patterns.py": "tests/common/input/test_field_errors.py",
    "sms_common/rules/verdicts.py": "tests/common/rules/test_inbound.py",
    "sms_common/testing/carriers.py": "tests/common/carriers/test_protocol.py",
    "sms_common/testing/queues.py": "tests/common/testing/test_broker.py",
    "sms_common/version.py": "tests/test_release.py",
    "carrier_simulator/carrier/answers.py": "tests/simulator/test_app.py",
    "smsgw/bulk/entry.py": "tests/cli/bulk/test_document.py",
    "smsgw/bulk/kinds.py": "tests/cli/bulk/test_planning.py",
    "smsgw/doctor/findings.py": "tests/cli/doctor/test_command.py",
    "sms_dispatcher/delivery/context.py": "tests/dispatcher/delivery/test_sending.py",
    "sms_dispatcher/fleet/coordination.py": "tests/integration/test_dispatcher_coordination.py",
    "sms_dispatcher/ledger/history.py": "tests/integration/test_dispatcher_ledger.py",
    "sms_dispatcher/main.py": "tests/integration/test_dispatcher_process.py",
    "sms_config/http/operations_routes.py": "tests/config/operations/test_parking.py",
    "sms_config/http/rule_routes.py": "tests/config/resources/test_rules.py",
    "sms_config/main.py": "tests/integration/test_config_service.py",
    "sms_config/model/rule_records.py": "tests/config/resources/test_rules.py",
    "sms_config/model/strict_model.py": "tests/config/schemas/test_bodies_optional_fields.py",
    "sms_config/operations/replay_refusals.py": "tests/config/operations/test_replay_check.py",
    "sms_config/schemas/carriers.py": "tests/config/http/test_carrier_routes.py",
    "sms_config/schemas/credentials.py": "tests/config/resources/test_sealing.py",
    "sms_config/schemas/rule_bodies.py": "tests/config/schemas/test_bodies_optional_fields.py",
    "sms_config/storage/store_protocol.py": "tests/config/storage/test_testing.py",
    "sms_native/demonstration/seed.py": "tests/native/demonstration/test_demo.py",
    "sms_native/engines/mongod.py": "tests/native/engines/test_mongodb.py",
    "sms_native/gateway/compose.py": "tests/test_release.py",
    "sms_native/gateway/stack.py": "tests/native/gateway/test_native.py",
}


def modules(package: Path) -> Iterator[Path]:
    return (path for path in sorted(package.rglob("*.py")) if not path.name.startswith("__"))


def folders() -> list[Path]:
    return sorted(
        {folder for package in SOURCES.values() for folder in (package, *(path.parent for path in modules(package)))}
    )


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.as_posix().partition("/src/")[2])
def test_a_folder_is_taken_in_at_one_look(folder):
    name = folder.as_posix().partition("/src/")[2]
    assert len([path for path in folder.glob("*.py") if not path.name.startswith("__")]) <= LARGER.get(
        name, MOST_MODULES
    )


def test_no_two_classes_share_a_name():
    defined = defaultdict(set)
    for package in SOURCES.values():
        for path in package.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    defined[node.name].add(path.as_posix().partition("/src/")[2])
    assert {name: sorted(places) for name, places in defined.items() if len(places) > 1} == {}


def belongs(test: Path, package: Path) -> bool:
    """Whether a test's name begins with that of a module, or of a folder, at the same place of the sources."""
    place = package / test.parent.relative_to(TESTS / TESTED_IN[package.name])
    about = test.stem.removeprefix("test_")
    names = {path.stem for path in place.iterdir() if path.suffix == ".py" or path.is_dir()} | {package.name}
    return any(about == name or about.startswith(f"{name}_") for name in names if not name.startswith("__"))


@pytest.mark.parametrize("package", SOURCES.values(), ids=SOURCES)
def test_a_test_is_named_after_what_it_tests(package):
    tests = sorted((TESTS / TESTED_IN[package.name]).rglob("test_*.py"))
    assert tests
    assert [test.relative_to(ROOT).as_posix() for test in tests if not belongs(test, package)] == []


def has_own_test(module: Path, package: Path) -> bool:
    place = TESTS / TESTED_IN[package.name] / module.parent.relative_to(package)
    return any(place.glob(f"test_{module.stem}.py")) or any(place.glob(f"test_{module.stem}_*.py"))


def test_the_test_of_a_module_is_found_by_its_name_or_in_the_table():
    without = {
        module.as_posix().partition("/src/")[2]
        for package in SOURCES.values()
        for module in modules(package)
        if not has_own_test(module, package)
    }
    assert without == TESTED_ELSEWHERE.keys()
    assert [test for test in TESTED_ELSEWHERE.values() if not (ROOT / test).exists()] == []
