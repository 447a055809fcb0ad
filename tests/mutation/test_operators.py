"""The mistakes that are made, and what is left alone."""

import ast

import pytest

from tests.mutation.operators import mutants

CASES = {
    "a comparison": ("x = a < b", {"x = a <= b"}),
    "a membership": ("x = a in b", {"x = a not in b"}),
    "both and either": ("x = a and b", {"x = a or b"}),
    "a sum": ("x = a + b", {"x = a - b"}),
    "a negation": ("x = not a", {"x = not not a"}),
    "a number": ("x = 5", {"x = 6"}),
    "a truth": ("x = True", {"x = False"}),
    "a word": ("x = 'held'", {"x = 'mutant'"}),
    "bytes": ("x = b':'", {"x = b'mutant'"}),
    "the least": ("min(a, b)", {"max(a, b)", "pass"}),
    "a condition": ("x = a if b else c", {"x = a if not b else c"}),
    "a call for its effect": ("f()", {"pass"}),
    "a refusal": ("raise E", {"pass"}),
    "a sentence for a person": ("x = 'No answer came.'", set()),
    "a joined text": ("x = 'a ' + b", set()),
    "an f-string's words": ("x = f'in{a}'", set()),
    "an annotation": ("x: Literal['held']", set()),
    "what is logged": ("log.info('held', n=1)", set()),
    "a docstring": ("'word'", set()),
    "an import": ("import a", set()),
    "an assertion": ("assert a == 1", set()),
}


@pytest.mark.parametrize(("source", "expected"), CASES.values(), ids=CASES)
def test_each_mistake_is_made_alone(source, expected):
    assert {mutant.source for mutant in mutants(source)} == expected


def test_a_function_keeps_its_signature_and_loses_its_result():
    source = "@f('x')\ndef g(a: 'T'=1) -> 'R':\n    return a"

    found = {mutant.source.splitlines()[-1].strip() for mutant in mutants(source) if "a: 'T'=1" in mutant.source}

    assert found == {"return"}
    assert all("@f('x')" in mutant.source and "-> 'R'" in mutant.source for mutant in mutants(source))


def test_every_mutant_is_python_and_differs():
    source = "def f(a):\n    if a > 1 and a < 5:\n        raise E(a)\n    for b in a:\n        g(b)\n    return a * 2\n"

    made = [mutant.source for mutant in mutants(source)]

    assert len(set(made)) == len(made)
    assert ast.unparse(ast.parse(source)) not in made
    for each in made:
        ast.parse(each)
