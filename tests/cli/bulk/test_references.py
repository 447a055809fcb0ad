"""Names of a file become the API's ids, and ids become names again."""

from collections.abc import Callable
from typing import Any

import pytest

from smsgw.bulk.kinds import Key, ObjectKind
from smsgw.bulk.references import references, trunk_place, with_ids, with_names

IDS: dict[tuple[ObjectKind, Key], str] = {
    (ObjectKind.TENANT, ("acme",)): "acme",
    (ObjectKind.TRUNK, ("acme", "Own")): "t-own",
    (ObjectKind.TRUNK, ("", "Shared")): "t-shared",
    (ObjectKind.SMS, ("acme", "Main")): "c-main",
    (ObjectKind.SMS, ("acme", "Second")): "c-second",
}
KNOWN: Callable[[tuple[ObjectKind, Key]], bool] = IDS.__contains__


@pytest.mark.parametrize(
    ("name", "also", "owner"),
    [
        pytest.param("Own", (), "acme", id="the tenant's own"),
        pytest.param("Shared", (), "", id="one that is lent"),
        pytest.param("Shared", ("acme", "Shared"), "acme", id="its own before one that is lent"),
        pytest.param("Gone", (), "acme", id="none"),
    ],
)
def test_a_trunk_is_the_tenants_own_or_else_a_lent_one(name, also, owner):
    known = {*IDS, (ObjectKind.TRUNK, also)}

    assert trunk_place("acme", name, known.__contains__) == (ObjectKind.TRUNK, (owner, name))


@pytest.mark.parametrize(
    ("kind", "key", "fields", "named"),
    [
        (ObjectKind.TENANT, ("acme",), {"default_config": "Main"}, [(ObjectKind.SMS, ("acme", "Main"))]),
        (ObjectKind.TENANT, ("acme",), {"default_config": None}, []),
        (
            ObjectKind.TRUNK,
            ("", "Shared"),
            {"pools": [{"tenant_id": "acme"}, {"tenant_id": "globex"}]},
            [(ObjectKind.TENANT, ("acme",)), (ObjectKind.TENANT, ("globex",))],
        ),
        (
            ObjectKind.SMS,
            ("acme", "Main"),
            {"trunk": "Shared"},
            [(ObjectKind.TRUNK, ("", "Shared")), (ObjectKind.TENANT, ("acme",))],
        ),
        (
            ObjectKind.OUTBOUND_RULE,
            ("acme", "Abroad"),
            {"routes": [{"config": "Main"}, {"config": "Gone"}]},
            [
                (ObjectKind.SMS, ("acme", "Main")),
                (ObjectKind.SMS, ("acme", "Gone")),
                (ObjectKind.TENANT, ("acme",)),
            ],
        ),
    ],
)
def test_everything_that_an_object_names_is_found(kind, key, fields, named):
    assert list(references(kind, key, fields, KNOWN)) == named


NAMED_AND_NUMBERED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"configs": ["Main", "Second"], "priority": 5}, {"config_ids": ["c-main", "c-second"], "priority": 5}),
    ({"routes": [{"config": "Main", "weight": 2}]}, {"routes": [{"config_id": "c-main", "weight": 2}]}),
    (
        {"caller_ids": [{"number": "+12015550100", "trunk": "Shared"}]},
        {"caller_ids": [{"number": "+12015550100", "trunk_id": "t-shared"}]},
    ),
]


@pytest.mark.parametrize(("named", "numbered"), NAMED_AND_NUMBERED)
def test_names_become_ids_and_ids_become_names_again(named, numbered):
    names = {object_id: key[-1] for (_, key), object_id in IDS.items()}

    assert with_ids("acme", named, IDS) == numbered
    assert with_names(numbered, names) == named


def test_what_only_the_api_has_ids_for_is_renamed_too():
    assert with_ids("acme", {"trunk": "Own", "name": "x"}, IDS) == {"provider_id": "t-own", "name": "x"}
    assert with_ids("acme", {"default_config": "Main"}, IDS) == {"default_config_id": "c-main"}
    assert with_ids("acme", {"default_config": None}, IDS) == {"default_config_id": None}


def test_an_id_without_a_name_stays_as_it_is():
    assert with_names({"config_ids": ["c-gone"]}, {}) == {"configs": ["c-gone"]}
