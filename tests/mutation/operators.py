"""Makes small mistakes in Python source, one at a time: each a mutant that good tests notice."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_TOLD = ("log", "_log", "metrics", "logging")
"""What is only told to a log or a metric is not what these tests are about."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake: where, what, and the whole source with it."""

    line: int
    what: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module. Annotations, docstrings, sentences for people and what is logged stay as they are."""
    tree = ast.parse(source)
    for number, node in enumerate(ast.walk(tree)):
        for what, change in _changes(node):
            mutated = copy.deepcopy(tree)
            change(_nth(mutated, number))
            made = ast.unparse(ast.fix_missing_locations(mutated))
            yield Mutant(getattr(node, "lineno", 0), what, made)


Change = tuple[str, Callable[[ast.AST], None]]


def _nth(tree: ast.AST, number: int) -> ast.AST:
    return next(node for place, node in enumerate(ast.walk(tree)) if place == number)


def _changes(node: ast.AST) -> Iterator[Change]:
    if getattr(node, "left_alone", False):
        return
    _leave_alone(node)
    match node:
        case ast.Compare() | ast.BoolOp() | ast.BinOp() | ast.UnaryOp(op=ast.Not()):
            yield from _operators(node)
        case ast.Constant():
            yield from _constants(node)
        case ast.Name(id=name) if name in _NAMES and isinstance(node.ctx, ast.Load):
            yield f"{name} becomes {_NAMES[name]}", _rename(_NAMES[name])
        case ast.Return() if node.value is not None and not _is(node.value, None):
            yield f"{_shown(node)}: nothing is returned", _return_nothing
        case ast.If() | ast.IfExp() | ast.While():
            if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
                yield f"if {_shown(node.test)}: the opposite", _negate
        case _:
            pass
    if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.If | ast.For | ast.While):
        yield from _deletions(node)


def _operators(node: ast.Compare | ast.BoolOp | ast.BinOp | ast.UnaryOp) -> Iterator[Change]:
    other: type[ast.AST]
    match node:
        case ast.Compare():
            for place, operator in enumerate(node.ops):
                comparison = _COMPARISONS[type(operator)]
                what = f"{_shown(node)}: {_word(operator)} becomes {comparison.__name__}"
                yield what, _set_comparison(place, comparison)
        case ast.BoolOp():
            other = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield f"{_shown(node)}: {_word(node.op)} becomes {other.__name__}", _set("op", other)
        case ast.BinOp() if type(node.op) in _ARITHMETIC and not _joins_text(node):
            other = _ARITHMETIC[type(node.op)]
            yield f"{_shown(node)}: {_word(node.op)} becomes {other.__name__}", _set("op", other)
        case ast.UnaryOp():
            yield f"{_shown(node)}: not is left out", _leave_out_not
        case _:
            return


def _leave_alone(node: ast.AST) -> None:
    """Mark what under this node is not to be changed."""
    left: list[ast.AST] = []
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            left += [a.annotation for a in arguments if a.annotation is not None]
            left += [*node.decorator_list, *([node.returns] if node.returns is not None else [])]
        case ast.ClassDef():
            left += [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]
        case ast.AnnAssign():
            left.append(node.annotation)
        case ast.JoinedStr():
            left += [value for value in node.values if isinstance(value, ast.Constant)]
        case ast.Expr() if isinstance(node.value, ast.Constant) or _is_told(node.value):
            left.append(node)
        case ast.Assert() | ast.Import() | ast.ImportFrom():
            left.append(node)
        case _:
            return
    for root in left:
        for each in ast.walk(root):
            each.left_alone = True  # type: ignore[attr-defined]


def _constants(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        yield f"{value} becomes {not value}", _set_value(not value)
    elif isinstance(value, int | float):
        yield f"{value} becomes {value + 1}", _set_value(value + 1)
    elif isinstance(value, str) and value and " " not in value:
        yield f"{value!r} becomes another word", _set_value("mutant")
    elif isinstance(value, bytes) and value:
        yield f"{value!r} becomes other bytes", _set_value(b"mutant")


def _deletions(
    node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.If | ast.For | ast.While,
) -> Iterator[Change]:
    for place, statement in enumerate(node.body):
        kept = isinstance(statement, ast.Raise | ast.AugAssign) or (
            isinstance(statement, ast.Expr)
            and not isinstance(statement.value, ast.Constant)
            and not _is_told(statement.value)
        )
        if kept:
            yield f"{_shown(statement)}: left out (line {statement.lineno})", _delete(place)


def _set(name: str, kind: type[ast.AST]) -> Callable[[ast.AST], None]:
    return lambda node: setattr(node, name, kind())


def _leave_out_not(node: ast.AST) -> None:
    """Put a second `not` inside, which keeps it a boolean."""
    assert isinstance(node, ast.UnaryOp)
    node.operand = ast.UnaryOp(ast.Not(), node.operand)


def _set_comparison(place: int, kind: type[ast.cmpop]) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.Compare)
        node.ops[place] = kind()

    return change


def _set_value(value: object) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.Constant)
        node.value = value  # type: ignore[assignment]

    return change


def _rename(name: str) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.Name)
        node.id = name

    return change


def _negate(node: ast.AST) -> None:
    assert isinstance(node, ast.If | ast.IfExp | ast.While)
    node.test = ast.UnaryOp(ast.Not(), node.test)


def _return_nothing(node: ast.AST) -> None:
    assert isinstance(node, ast.Return)
    node.value = None


def _delete(place: int) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        body = getattr(node, "body")  # noqa: B009  # every kind of block has one
        body[place] = ast.Pass()

    return change


def _is(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _is_told(node: ast.expr) -> bool:
    while isinstance(node, ast.Call | ast.Attribute | ast.Await):
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and node.id in _TOLD


def _joins_text(node: ast.BinOp) -> bool:
    """Text cannot be subtracted: such a mutant dies at once and proves nothing."""
    sides = (node.left, node.right)
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in sides
    )


def _shown(node: ast.AST) -> str:
    text = ast.unparse(node).splitlines()[0]
    return text if len(text) <= 70 else text[:67] + "..."


def _word(operator: ast.AST) -> str:
    return type(operator).__name__
