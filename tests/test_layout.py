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
