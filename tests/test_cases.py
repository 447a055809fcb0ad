"""Inputs that once failed are tests for good."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCES = [path.read_text() for path in TESTS.rglob("*.py") if path != Path(__file__)]


@pytest.mark.parametrize("case", sorted((TESTS / "data" / "cases").glob("*.json")), ids=lambda path: path.stem)
def test_each_case_is_loaded_by_a_test(case):
    by_number = f'case("{case.stem.partition("-")[0]}")'

    assert any(case.stem in source or by_number in source for source in SOURCES)
