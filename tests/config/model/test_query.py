from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_config.model.problems import Invalid
from sms_config.model.query import Clause, Column, Columns, Order, parse_query

COLUMNS = Columns(
    by_name={
        "id": Column("id"),
        "name": Column("name"),
        "enabled": Column("enabled", "boolean"),
        "size": Column("size", "integer"),
        "created_at": Column("created_at", "time"),
    },
    searched=("name",),
)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("enabled eq true", [Clause("enabled", "eq", (True,))]),
        ("ENABLED EQ TRUE".replace("ENABLED", "enabled"), [Clause("enabled", "eq", (True,))]),
        ("name eq x and enabled eq false", [Clause("name", "eq", ("x",)), Clause("enabled", "eq", (False,))]),
        ("name eq 'two words'", [Clause("name", "eq", ("two words",))]),
        ('name eq "two words"', [Clause("name", "eq", ("two words",))]),
        ("name eq 'it''s'", [Clause("name", "eq", ("it's",))]),
        ("name eq 'and'", [Clause("name", "eq", ("and",))]),
        ("name eq 'null'", [Clause("name", "eq", ("null",))]),
        ("name eq ''", [Clause("name", "eq", ("",))]),
        ("name eq null", [Clause("name", "eq", (None,))]),
        ("name ne null", [Clause("name", "ne", (None,))]),
        (
            "name contains al AND name startswith s",
            [Clause("name", "contains", ("al",)), Clause("name", "startswith", ("s",))],
        ),
        ("id in (a, 'b c',d)", [Clause("id", "in", ("a", "b c", "d"))]),
        ("size ge 10 and size lt 20", [Clause("size", "ge", (10,)), Clause("size", "lt", (20,))]),
        ("created_at gt 2026-03-01T00:00:00Z", [Clause("created_at", "gt", (MARCH,))]),
        ("created_at le '2026-03-01'", [Clause("created_at", "le", (MARCH,))]),
        ("", []),
        ("   ", []),
    ],
)
def test_filters_are_read(text, clauses):
    assert list(parse_query([("filter", text)], COLUMNS).clauses) == clauses


@pytest.mark.parametrize(
    ("parameter", "text", "sentence"),
    [
        ("filter", "secret eq x", "knows only these fields: id, name"),
        ("filter", "name like x", "knows only these operators"),
        ("filter", "name eq", "of the form"),
        ("filter", "'name' eq x", "of the form"),
        ("filter", "name eq a or name eq b", "must have `and`"),
        ("filter", "name eq a name eq b", "must have `and`"),
        ("filter", "name eq a and", "of the form"),
        ("filter", "name eq 'open", "quote that is not closed"),
        ("filter", "name eq (", "bracket or comma"),
        ("filter", "id in a", "list in brackets"),
        ("filter", "id in (a", "list in brackets"),
        ("filter", "id in (a,", "list in brackets"),
        ("filter", "id in ( )", "list in brackets"),
        ("filter", "id in (a b)", "list in brackets"),
        ("filter", "id in (,", "list in brackets"),
        ("filter", "enabled gt true", "cannot use gt on enabled"),
        ("filter", "enabled contains t", "cannot use contains on enabled"),
        ("filter", "enabled eq yes", "must be true or false"),
        ("filter", "size eq 1.5", "must be a whole number"),
        ("filter", "size eq -1", "must be a whole number"),
        ("filter", "size gt null", "cannot use gt with null"),
        ("filter", "name contains null", "cannot use contains with null"),
        ("filter", "created_at gt yesterday", "must be a time"),
        ("filter", "created_at gt 9999-12-31T23:59:59-12:00", "must be a time"),
        ("filter", "name eq 'a\0b'", "holds a character"),
        ("filter", "name eq " + "x" * 1024, "may have 1024 characters"),
        ("filter", " and ".join(["id eq a"] * 21), "may have 20 conditions"),
        ("search", "x" * 101, "may have 100 characters"),
        ("search", "\0", "holds a character"),
        ("orderby", "", "must be a field"),
        ("orderby", "name up", "must be a field"),
        ("orderby", "name desc asc", "must be a field"),
        ("orderby", "name,", "must be a field"),
        ("orderby", "secret desc", "knows only these fields"),
        ("orderby", "name,name desc", "names a field twice"),
        ("skip", "-1", "must be a whole number from 0"),
        ("skip", "1000001", "must be a whole number from 0 to 1000000"),
        ("skip", "99999999999999999999", "must be a whole number"),
        ("skip", "", "must be a whole number"),
        ("skip", "٣", "must be a whole number"),
        ("top", "0", "must be a whole number from 1 to 100"),
        ("top", "101", "must be a whole number from 1 to 100"),
        ("top", "1e1", "must be a whole number"),
        ("nonsense", "x", "knows only these fields"),
        ("enabled", "1", "must be true or false"),
        ("name[$ne]", "x", "knows only these fields"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_parameter(parameter, text, sentence):
    with pytest.raises(Invalid) as raised:
        parse_query([(parameter, text)], COLUMNS)

    assert [error.field for error in raised.value.errors] == [parameter]
    assert sentence in raised.value.errors[0].message


def test_every_wrong_parameter_is_named():
    with pytest.raises(Invalid) as raised:
        parse_query([("top", "x"), ("skip", "x"), ("search", "ok")], COLUMNS)

    assert [error.field for error in raised.value.errors] == ["top", "skip"]


def test_a_parameter_given_twice_is_refused():
    with pytest.raises(Invalid, match="is given twice"):
        parse_query([("top", "1"), ("top", "2")], COLUMNS)


def test_a_field_is_a_parameter_of_its_own_and_joins_the_filter():
    query = parse_query(
        [("filter", "name eq x"), ("enabled", "true"), ("created_at", "2026-03-01T00:00:00 00:00")], COLUMNS
    )

    assert query.clauses == (
        Clause("name", "eq", ("x",)),
        Clause("enabled", "eq", (True,)),
        Clause("created_at", "eq", (MARCH,)),
    )


def test_pages_and_order_have_defaults():
    query = parse_query([], COLUMNS)

    assert (query.skip, query.top, query.order) == (0, 100, (Order("created_at"),))


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("name", (Order("name"),)),
        ("name asc", (Order("name"),)),
        ("name DESC", (Order("name", descending=True),)),
        ("enabled desc, name", (Order("enabled", descending=True), Order("name"))),
    ],
)
def test_orders_are_read(text, order):
    assert parse_query([("orderby", text)], COLUMNS).order == order


@given(
    st.sampled_from(["filter", "search", "orderby", "skip", "top", "name", "created_at", "size"]), st.text(max_size=60)
)
def test_no_text_does_anything_but_a_query_or_a_refusal(parameter, text):
    with suppress(Invalid):
        parse_query([(parameter, text)], COLUMNS)
