"""The query language of the lists: filter, search, orderby, skip, top. Pure: text in, a checked Query out.

filter  = clause *( "and" clause )
clause  = field operator value | field "in" "(" value *( "," value ) ")"
operator = "eq" | "ne" | "gt" | "ge" | "lt" | "le" | "contains" | "startswith"
value   = "true" | "false" | "null" | number | 'text' | "text" | bare-word
orderby = field [ "asc" | "desc" ] *( "," field [ "asc" | "desc" ] )

Keywords are read in any case. A quote inside quoted text is doubled. A parameter `field=value` means `eq`.
Values are trimmed of invisible characters, and compared in composed form (NFC), in which names are stored.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import UnionType
from typing import Literal, get_args
from unicodedata import normalize

from pydantic import BaseModel

from sms_common.input.pasted import trimmed
from sms_config.model.problems import FieldProblem, Invalid

Scalar = str | bool | int | datetime | None
Kind = Literal["text", "boolean", "integer", "time"]
Operator = Literal["eq", "ne", "gt", "ge", "lt", "le", "contains", "startswith", "in"]

MAX_TOP = 100
# MongoDB reads every skipped document, so beyond this a filter is the better way.
MAX_SKIP = 1_000_000
MAX_FILTER = 1024
MAX_SEARCH = 100
MAX_CLAUSES = 20
# To count further takes long, and nobody reads pages that far.
COUNT_UP_TO = 10_000

_OPERATORS: Mapping[str, Operator] = {
    "eq": "eq",
    "ne": "ne",
    "gt": "gt",
    "ge": "ge",
    "lt": "lt",
    "le": "le",
    "contains": "contains",
    "startswith": "startswith",
    "in": "in",
}
_ORDERED = frozenset({"gt", "ge", "lt", "le"})
_TEXTUAL = frozenset({"contains", "startswith"})
_TOKEN = re.compile(r"""\s*(?:'((?:[^']|'')*)'|"((?:[^"]|"")*)"|([(),])|([^\s'"(),]+))""")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Column:
    """A field that lists can be filtered and ordered by. `path` is its name in the record."""

    path: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition on a record: `values` has one value, or several for `in`."""

    path: str
    operator: Operator
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key."""

    path: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """Which records, in which order, and which page. All clauses apply; `search` must be found in one of `searched`.

    The number on all pages is exact up to `count_up_to`.
    """

    clauses: tuple[Clause, ...] = ()
    search: str = ""
    searched: tuple[str, ...] = ()
    order: tuple[Order, ...] = (Order("created_at"),)
    skip: int = 0
    top: int | None = None
    count_up_to: int = COUNT_UP_TO

    def at_least(self, found: int) -> int:
        """Return the least number of records when they were not all counted and the page has `found`."""
        full = self.top is not None and found >= self.top
        return max(self.count_up_to, self.skip + found + full if found else 0)


@dataclass(frozen=True, slots=True)
class Columns:
    """What the lists of one resource can be asked for. `order` is used when no orderby is given."""

    by_name: Mapping[str, Column]
    searched: tuple[str, ...]
    order: tuple[Order, ...] = (Order("created_at"),)


# A yes or no is a whole number to Python, so it comes first.
_KINDS: tuple[tuple[type, Kind], ...] = ((bool, "boolean"), (int, "integer"), (datetime, "time"), (str, "text"))


def columns_of(model: type[BaseModel]) -> dict[str, Column]:
    """Return a column for every field of a record's model that has one plain value."""
    kinds = {name: _kind(field.annotation) for name, field in model.model_fields.items()}
    return {name: Column(name, kind) for name, kind in kinds.items() if kind is not None}


def _kind(annotation: object) -> Kind | None:
    members = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    types = [one for one in members if isinstance(one, type)]
    return next((kind for known, kind in _KINDS if any(issubclass(one, known) for one in types)), None)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    quoted: bool


def parse_query(parameters: Iterable[tuple[str, str]], columns: Columns) -> Query:
    """Return the query in a URL's parameters. Raises Invalid with a message for every parameter that is wrong."""
    errors: list[FieldProblem] = []
    clauses: list[Clause] = []
    search, skip, top, order = "", 0, MAX_TOP, columns.order
    names: set[str] = set()
    for name, text in parameters:
        try:
            _once(name, names)
            match name:
                case "filter":
                    clauses += _filter(text, columns)
                case "search":
                    search = _search(text)
                case "orderby":
                    order = _orderby(text, columns)
                case "skip":
                    skip = _whole(text, 0, MAX_SKIP)
                case "top":
                    top = _whole(text, 1, MAX_TOP)
                case _:
                    clauses.append(_clause(name, "eq", [_Token(text, quoted=False)], columns))
        except _Refused as refused:
            errors.append(FieldProblem(field=name[:64], message=str(refused)))
    if errors:
        raise Invalid(errors)
    return Query(tuple(clauses), search, columns.searched, order, skip, top)


class _Refused(Exception):  # it never leaves this module
    """Why one parameter cannot be used."""


def _once(name: str, names: set[str]) -> None:
    if name in names:
        raise _Refused("is given twice")
    names.add(name)


def _search(text: str) -> str:
    if len(text) > MAX_SEARCH:
        raise _Refused(f"may have {MAX_SEARCH} characters")
    if "\0" in text:
        raise _Refused("holds a character that no text here has")
    return normalize("NFC", trimmed(text))


def _whole(text: str, least: int, most: int) -> int:
    text = trimmed(text)
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not least <= int(text) <= most:
        raise _Refused(f"must be a whole number from {least} to {most}")
    return int(text)


def _orderby(text: str, columns: Columns) -> tuple[Order, ...]:
    orders: list[Order] = []
    for part in text.split(","):
        words = part.split()
        if not words or len(words) > 2 or (len(words) == 2 and words[1].lower() not in {"asc", "desc"}):  # noqa: PLR2004  # field and direction
            raise _Refused("must be a field, with asc or desc after it, several separated by commas")
        path = _column(words[0], columns).path
        if any(order.path == path for order in orders):
            raise _Refused("names a field twice")
        orders.append(Order(path, descending=words[-1].lower() == "desc" and len(words) > 1))
    return tuple(orders)


def _column(name: str, columns: Columns) -> Column:
    column = columns.by_name.get(name)
    if column is None:
        raise _Refused(f"knows only these fields: {', '.join(columns.by_name)}")
    return column


def _filter(text: str, columns: Columns) -> list[Clause]:
    if len(text) > MAX_FILTER:
        raise _Refused(f"may have {MAX_FILTER} characters")
    tokens = _tokens(text)
    clauses: list[Clause] = []
    while tokens:
        if clauses and not _word(tokens.pop(0), "and"):
            raise _Refused("must have `and` between its conditions")
        clauses.append(_next_clause(tokens, columns))
        if len(clauses) > MAX_CLAUSES:
            raise _Refused(f"may have {MAX_CLAUSES} conditions")
    return clauses


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position, end)
        if match is None:
            raise _Refused("has a quote that is not closed")
        single, double, mark, bare = match.groups()
        if single is not None or double is not None:
            tokens.append(
                _Token(single.replace("''", "'") if single is not None else double.replace('""', '"'), quoted=True)
            )
        else:
            tokens.append(_Token(mark or bare, quoted=False))
        position = match.end()
    return tokens


def _word(token: _Token, word: str) -> bool:
    return not token.quoted and token.text.lower() == word


def _next_clause(tokens: list[_Token], columns: Columns) -> Clause:
    if len(tokens) < 3 or tokens[0].quoted:  # noqa: PLR2004  # field, operator, value
        raise _Refused("must be conditions of the form `field eq value`, joined with `and`")
    name, operator = tokens.pop(0).text, _OPERATORS.get(tokens.pop(0).text.lower())
    if operator is None:
        raise _Refused(f"knows only these operators: {', '.join(_OPERATORS)}")
    values = _list(tokens) if operator == "in" else [tokens.pop(0)]
    return _clause(name, operator, values, columns)


def _list(tokens: list[_Token]) -> list[_Token]:
    values: list[_Token] = []
    expected = "("
    while tokens:
        if not _word(tokens.pop(0), expected):
            break
        if expected == ")" or not tokens:
            break
        values.append(tokens.pop(0))
        if tokens and _word(tokens[0], ")"):
            tokens.pop(0)
            return values
        expected = ","
    raise _Refused("must have a list in brackets after `in`, such as in (a, b)")


def _clause(name: str, operator: Operator, values: list[_Token], columns: Columns) -> Clause:
    column = _column(name, columns)
    if operator in _TEXTUAL and column.kind != "text":
        raise _Refused(f"cannot use {operator} on {name}")
    if operator in _ORDERED and column.kind == "boolean":
        raise _Refused(f"cannot use {operator} on {name}")
    scalars = tuple(_scalar(value, column) for value in values)
    if None in scalars and operator not in {"eq", "ne", "in"}:
        raise _Refused(f"cannot use {operator} with null")
    return Clause(column.path, operator, scalars)


def _scalar(token: _Token, column: Column) -> Scalar:
    if _word(token, "null"):
        return None
    if not token.quoted and token.text in {"(", ")", ","}:
        raise _Refused("has a bracket or comma where a value is due")
    return _READERS[column.kind](token.text if token.quoted else _bare(token.text))


def _bare(text: str) -> str:
    """Return a bare word without invisible characters around it."""
    return text if "\0" in text else trimmed(text)


def _text(text: str) -> str:
    if "\0" in text:
        raise _Refused("holds a character that no text here has")
    return normalize("NFC", text)


def _boolean(text: str) -> bool:
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise _Refused("must be true or false")
    return value


def _integer(text: str) -> int:
    return _whole(text, 0, 999_999_999)


def _time(text: str) -> datetime:
    try:
        # A plus sign of an unescaped offset arrives as a space.
        value = datetime.fromisoformat(text.replace(" ", "+"))
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Refused("must be a time such as 2026-01-31T12:00:00Z") from None


_READERS: Mapping[str, Callable[[str], Scalar]] = {
    "text": _text,
    "boolean": _boolean,
    "integer": _integer,
    "time": _time,
}
