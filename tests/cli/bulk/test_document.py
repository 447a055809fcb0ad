"""The file of an import: what it may hold, and what is said of one that cannot be used."""

from collections.abc import Callable
from pathlib import Path

import pytest

from smsgw.bulk.document import MAX_BYTES, BadFile, parse, read, write

HEAD = "version: 1\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "no mapping with a `version`", id="empty"),
        pytest.param("- 1", "no mapping with a `version`", id="a list"),
        pytest.param("tenants: []", "version: is missing", id="no version"),
        pytest.param("version: 2", "version: must be 1", id="a later version"),
        pytest.param("a: [", "no YAML in line 1", id="no YAML"),
        pytest.param("a: \x01", "no YAML", id="a control character"),
        pytest.param("!!python/object/apply:os.system ['true']", "no YAML", id="a Python object"),
        pytest.param("[" * 20_000, "", id="nested deeply"),
        pytest.param(HEAD + "secrets: []", "secrets: is not known here", id="an unknown section"),
        pytest.param(
            HEAD + "tenants: [{id: acme, name: A, country: NO}]",
            "tenants.1.country: must be text; put it in quotes",
            id="Norway",
        ),
        pytest.param(
            HEAD + "trunks: [{tenant: a, name: n, brand: b, dids: +12015550100}]",
            "trunks.1.dids: must be text",
            id="a number without quotes",
        ),
        pytest.param(HEAD + "tenants: [{id: a.b, name: A}]", "tenants.1.id", id="a dot in an id"),
        pytest.param(
            HEAD + "tenants: [{id: a, name: A}, {id: a, name: B}]",
            "the tenant a stands there 2 times",
            id="a tenant twice",
        ),
        pytest.param(
            HEAD + "sms: [{tenant: a, name: n, trunk: t}, {tenant: a, name: n, trunk: t}]",
            "SMS configuration a/n stands there 2 times",
            id="a configuration twice",
        ),
        pytest.param(
            HEAD + "sms: [{tenant: a, name: n, trunk: t, credentials: {api_secret: hush}}]",
            "sms.1.credentials.api_secret: is not known here",
            id="a secret itself",
        ),
        pytest.param(
            HEAD + "sms: [{tenant: a, name: n, trunk: t, failure_policy: maybe}]", "failure_policy", id="no policy"
        ),
        pytest.param(
            HEAD + "sms: [{tenant: a, name: n, trunk: t, enabled: 1}]",
            "enabled: must be true or false",
            id="no boolean",
        ),
        pytest.param(
            HEAD + "inbound_rules: [{tenant: a, name: n, office: {destination: 101}}]",
            "inbound_rules.1.office.destination: must be text; put it in quotes",
            id="a destination without quotes",
        ),
        pytest.param(
            HEAD + "extensions: [{tenant: a, extension: '1'}, {tenant: a, extension: '1'}]",
            "the extension a/1 stands there 2 times",
            id="an extension twice",
        ),
        pytest.param(HEAD + "trunks: [{name: n, brand: b}]", "needs either a tenant or", id="a trunk of nobody"),
        pytest.param(
            HEAD + "trunks: [{tenant: a, name: n, brand: b, pools: []}]",
            "needs either a tenant or",
            id="a trunk of two",
        ),
        pytest.param(
            HEAD + "sms: [{tenant: a, name: n, trunk: t, limits: {burst: 0}}]", "sms.1.limits.burst", id="no limit"
        ),
        pytest.param(
            HEAD + "only_tenants: [a]\ntenants: [{id: b, name: B}]",
            "only_tenants does not name b",
            id="beyond its tenants",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_place(text: str, told: str):
    with pytest.raises(BadFile) as caught:
        parse(text)
    assert told in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "nput should" not in str(caught.value)


def test_everything_wrong_is_told_at_once():
    with pytest.raises(BadFile) as caught:
        parse(HEAD + "tenants: [{id: a}]\ntrunks: [{tenant: a}]")
    assert str(caught.value).splitlines() == [
        "line 2: tenants.1.name: is missing",
        "line 3: trunks.1.name: is missing",
        "line 3: trunks.1.brand: is missing",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tenants:\n  - id: acme\n    name: Acme\n    country: NO", "line 5: tenants.1.country: must be text"),
        ("tenants:\n  - id: acme\n    name: A\n  - id: b", "line 5: tenants.2.name: is missing"),
        ("sms:\n- tenant: a\n  name: n\n  trunk: t\n  limits:\n    burst: 0", "line 7: sms.1.limits.burst: "),
        ("trunks:\n- tenant: a\n  name: n\n  brand: b\n  nonsense: 1", "line 6: trunks.1.nonsense: is not known here"),
        ("tenants:\n- id: a\u200bb\n  name: A", "line 3: tenants.1.id: holds an invisible character (U+200B"),
        (
            "tenants:\n- id: a\n  name: \u201cA\u200bB\u201d",
            "line 4: tenants.1.name: holds an invisible character (U+200B",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, told: str):
    with pytest.raises(BadFile) as caught:
        parse(HEAD + text)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(lambda text: text.encode("utf-8-sig"), id="UTF-8 with a byte order mark"),
        pytest.param(lambda text: text.encode("utf-16"), id="UTF-16 of this machine"),
        pytest.param(lambda text: "\ufeff".encode("utf-16-be") + text.encode("utf-16-be"), id="UTF-16 big end first"),
        pytest.param(lambda text: text.encode("utf-16-le"), id="UTF-16 without a mark"),
        pytest.param(lambda text: text.encode("utf-16-be"), id="UTF-16 without a mark, big end first"),
        pytest.param(lambda text: text.encode("utf-32"), id="UTF-32"),
        pytest.param(lambda text: text.replace("\n", "\r\n").encode(), id="lines of Windows"),
    ],
)
def test_a_file_may_come_from_any_editor(directory: Path, encoded: Callable[[str], bytes]):
    path = directory / "gateway.yaml"
    path.write_bytes(encoded(HEAD + "tenants:\n- id: acme\n  name: Größe\n"))

    (tenant,) = read(path).tenants
    assert (tenant.id, tenant.name) == ("acme", "Größe")


def test_of_a_file_in_another_encoding_the_line_is_told(directory: Path):
    path = directory / "gateway.yaml"
    path.write_bytes((HEAD + "tenants:\n- id: acme\n  name: Größe\n").encode("latin-1"))

    with pytest.raises(BadFile, match=r"gateway.yaml is not UTF-8: line 4"):
        read(path)


def test_what_is_pasted_into_a_file_is_read_as_the_api_reads_it():
    document = parse(
        HEAD
        + "tenants: [{id: ' acme\u200b', name: 'Bronte\u0301\u00a0Nord ', country: 'us\u2060'}]\n"
        + "trunks: [{tenant: acme, name: \ufeffBW, brand: Bandwidth, hostname: '\u200bsip.example.com'}]"
    )

    (tenant,), (trunk,) = document.tenants, document.trunks
    assert (tenant.id, tenant.name, tenant.country) == ("acme", "Bront\u00e9 Nord", "us")
    assert (trunk.name, trunk.hostname) == ("BW", "sip.example.com")


@pytest.mark.parametrize("empty", ["", "null", "''", "' '"])
def test_what_is_empty_means_none(empty: str):
    document = parse(
        HEAD
        + f"tenants: [{{id: a, name: A, time_zone: {empty}, default_config: {empty}}}]\n"
        + f"trunks: [{{tenant: a, name: n, brand: b, hostname: {empty}, dids: {empty}, default_did: {empty}}}]\n"
        + f"sms: [{{tenant: a, name: n, trunk: n, enabled: {empty}, limits: {empty}, callback: {empty}}}]"
    )

    assert document.tenants[0].given("id", "name") == {"time_zone": None, "default_config": None}
    assert document.trunks[0].given("tenant", "name", "brand") == {"hostname": None, "dids": "", "default_did": None}
    given = document.sms[0].given("tenant", "name", "trunk")
    assert (given["enabled"], given["callback"], given["limits"]["burst"]) == (True, None, 1)


def test_what_is_written_is_read():
    content = {
        "version": 1,
        "tenants": [{"id": "acme", "name": "Größe \U0001f600", "country": "NO", "time_zone": None}],
    }
    (entry,) = parse(write(content)).tenants
    assert entry.given() == {"id": "acme", "name": "Größe \U0001f600", "country": "NO", "time_zone": None}


@pytest.mark.parametrize(
    ("content", "told"), [(b"\xff", "is not UTF-8"), (b"#" * (MAX_BYTES + 1), "bytes")], ids=["not UTF-8", "too large"]
)
def test_a_file_that_cannot_be_read(directory: Path, content: bytes, told: str):
    path = directory / "gateway.yaml"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=told):
        read(path)
    with pytest.raises(BadFile, match="cannot be read"):
        read(directory / "absent.yaml")


def test_the_file_that_the_documentation_shows_can_be_read():
    page = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
    document = parse(page.partition("```yaml\n")[2].partition("```")[0])
    assert (len(document.tenants), len(document.trunks), len(document.sms)) == (1, 1, 1)
