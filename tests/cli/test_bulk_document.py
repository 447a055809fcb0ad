"""The file of `config`: what may stand in it, and what is said of what may not."""

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


def test_everything_wrong_is_told_at_once():
    with pytest.raises(BadFile) as caught:
        parse(HEAD + "tenants: [{id: a}]\ntrunks: [{tenant: a}]")
    assert str(caught.value).splitlines() == [
        "tenants.1.name: is missing",
        "trunks.1.name: is missing",
        "trunks.1.brand: is missing",
    ]


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
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    document = parse(page.partition("```yaml\n")[2].partition("```")[0])
    assert (len(document.tenants), len(document.trunks), len(document.sms)) == (1, 1, 1)
