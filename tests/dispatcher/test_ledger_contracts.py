"""Whatever has a fake in memory runs in a contract suite with it, method by method."""

import ast
from inspect import getmembers, isfunction
from pathlib import Path

import pytest

from sms_dispatcher.fleet.coordination import Coordination
from sms_dispatcher.ledger.history import History
from sms_dispatcher.ledger.ledger import Ledger

INTEGRATION = Path(__file__).parents[1] / "integration"


def methods(kind: type) -> set[str]:
    return {name for name, _ in getmembers(kind, isfunction) if not name.startswith("_")}


def called_with(fixture: str, suite: str) -> set[str]:
    """Methods that tests call which ask for this fixture: it runs each of them on MongoDB and in memory."""
    tree = ast.parse((INTEGRATION / suite).read_text())
    tests = [node for node in tree.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)]
    asking = [test for test in tests if fixture in {argument.arg for argument in test.args.args}]
    nodes = [node for test in asking for node in ast.walk(test)]
    return {node.func.attr for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}


@pytest.mark.parametrize(
    ("kind", "fixture", "suite"),
    [
        (Ledger, "ledger", "test_dispatcher_ledger.py"),
        (History, "ledger", "test_dispatcher_ledger.py"),
        (Coordination, "coordination", "test_dispatcher_coordination.py"),
    ],
    ids=["ledger", "history", "coordination"],
)
def test_every_method_is_in_the_contract_of_mongodb_and_its_twin(kind, fixture, suite):
    assert methods(kind) - called_with(fixture, suite) == set()
