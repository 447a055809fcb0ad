"""Every declared field of an SMS configuration is followed to each place that must have it: none may forget one."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from sms_common.configuration import DispatcherSnapshot, IngressSnapshot, PaceLimits, SendingFields, SmsConfigFields
from sms_config.model.records import SmsConfigRecord
from sms_config.storage.store_protocol import EVERYONE
from tests.cli.world import Command
from tests.config.world import BOOTSTRAP

pytestmark = pytest.mark.loopback
SMS = "/api/v1/sms"
WEB = files("sms_config") / "web"
FIELDS = SmsConfigFields.model_fields
# The first example of each field, and all of them as the API shows them.
EXAMPLES = {name: field.examples[0] for name, field in FIELDS.items() if field.examples}
SHOWN = SmsConfigFields.model_validate(EXAMPLES).model_dump(mode="json")
PLAIN = sorted(name for name, value in SHOWN.items() if isinstance(value, str | bool | int))
TEXTS = sorted(name for name, value in SHOWN.items() if isinstance(value, str))

every_field = pytest.mark.parametrize("name", sorted(FIELDS))


@pytest.fixture
async def changed(api, sms, name) -> Any:
    """A configuration in which one field was set to its example, as PATCH answers."""
    assert sms[name] != SHOWN[name], "the example is what a configuration has from the start"
    answer = await api.call("PATCH", f"{SMS}/{sms['id']}", {name: EXAMPLES[name]})
    assert answer.status == 200, answer.text
    return answer.json


def test_every_field_has_a_label_and_an_example():
    assert sorted(EXAMPLES) == sorted(name for name, field in FIELDS.items() if field.title) == sorted(FIELDS)


@every_field
async def test_it_is_shown_as_it_was_set(api, changed, name):
    assert changed[name] == SHOWN[name]
    assert (await api.get(f"{SMS}/{changed['id']}")).json == changed


@every_field
async def test_a_new_configuration_takes_it(api, trunk, name):
    made = await api.made(SMS, {"name": "New", "provider_id": trunk["id"], name: EXAMPLES[name]})

    assert made[name] == SHOWN[name]


@every_field
async def test_what_was_read_can_be_written_back(api, changed, name):
    written = await api.call("PUT", f"{SMS}/{changed['id']}", changed)

    assert (written.status, written.json[name]) == (200, SHOWN[name])


@every_field
async def test_it_is_stored_under_its_name(store, changed, name):
    record = await store.get(SmsConfigRecord, changed["id"], EVERYONE)

    assert record is not None
    assert record.model_dump(mode="json", include={name}) == {name: SHOWN[name]}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("given", ["a\u202eb", "x" * 1_000])
async def test_a_text_with_what_nobody_sees_or_without_end_is_refused(api, sms, name, given):
    answer = await api.call("PATCH", f"{SMS}/{sms['id']}", {name: given})

    assert (answer.status, list(answer.json.get("errors") and answer.field_errors())) == (422, [name])


@pytest.mark.parametrize("name", PLAIN)
async def test_lists_can_be_filtered_and_ordered_by_it(api, changed, name):
    other = await api.made(SMS, {"name": "Another", "provider_id": changed["provider_id"]})
    wanted = json.dumps(SHOWN[name]).strip('"')

    for query in ({name: wanted}, {"filter": f"{name} eq '{wanted}'"}):
        found = (await api.get(SMS, params=query)).json
        assert [item["id"] for item in found["items"]] == [changed["id"]]

    ordered = (await api.get(SMS, params={"orderby": name})).json
    assert {item["id"] for item in ordered["items"]} == {changed["id"], other["id"]}


@every_field
async def test_the_dispatcher_reads_what_it_sends_by_and_nothing_else(dispatcher_snapshot, changed, name):
    given = await dispatcher_snapshot()
    (config,) = DispatcherSnapshot.model_validate(given).configs

    assert (name in given["configs"][0]) is (name in SendingFields.model_fields)
    if name in SendingFields.model_fields:
        assert config.model_dump(mode="json")[name] == given["configs"][0][name] == SHOWN[name]


@every_field
async def test_ingress_is_told_none_of_them(ingress_snapshot, changed, name):
    given = await ingress_snapshot()

    assert IngressSnapshot.model_validate(given).endpoints[0].config_id == changed["id"]
    assert name not in given["endpoints"][0]


@every_field
async def test_the_audit_tells_from_what_to_what(api, sms, changed, name):
    asked = {"object_id": sms["id"], "action": "updated"}
    (audited,) = (await api.get("/api/v1/audit", params=asked)).json["items"]

    assert audited["changes"] == [name]
    assert (audited["before"][name], audited["after"][name]) == (sms[name], SHOWN[name])


@every_field
async def test_it_is_in_the_openapi_document(anyone, name):
    document = (await anyone.get("/api/v1/openapi.json")).json
    parameters = {parameter["name"] for parameter in document["paths"][SMS]["get"]["parameters"]}

    for schema in ("SmsView", "SmsCreate", "SmsWrite", "SmsWritePatch"):
        assert name in document["components"]["schemas"][schema]["properties"], schema
    assert name in document["components"]["schemas"]["SmsView"]["required"]
    assert name in parameters or name not in PLAIN


@every_field
async def test_a_file_of_the_command_carries_it(api, sms, changed, name, tmp_path):
    smsgw = Command(env={"SMSGW_CONFIG_URL": api.url("/").rstrip("/"), "SMSGW_API_KEY": BOOTSTRAP})
    file = tmp_path / "file.yaml"
    exported = await smsgw("config", "export", str(file))
    assert exported.status == 0, exported.err
    await api.call("PATCH", f"{SMS}/{changed['id']}", {name: sms[name]})

    imported = await smsgw("config", "import", str(file), "--yes")
    again = await smsgw("config", "import", str(file), "--yes")

    assert imported.status == 0, imported.err
    assert SHOWN[name] in [item[name] for item in (await api.get(SMS)).json["items"]]
    assert again.out.endswith("0 changes, 3 unchanged\n") or name == "name"


class TestPortal:
    """The form is drawn from a list that comes from the declaration; a browser looks at it in tests/portal."""

    @pytest.fixture
    def listed(self) -> Any:
        lines = re.findall(r"^  (\{.*\}),$", (WEB / "sms_fields.js").read_text(), re.MULTILINE)
        return {one["name"]: one for one in map(json.loads, lines)}

    @every_field
    def test_the_list_of_the_form_has_it(self, listed, name):
        assert name in listed, "run `make docs`"
        assert (listed[name]["label"], listed[name]["hint"]) == (FIELDS[name].title, FIELDS[name].description)

    @every_field
    def test_the_form_can_draw_it(self, listed, name):
        own = re.search(
            r"^const DRAWN = \{\n(.*?)^\};", (WEB / "pages" / "sms_form.js").read_text(), re.MULTILINE | re.DOTALL
        )
        assert own is not None
        assert listed[name]["kind"] in {"text", "number", "switch"} or re.search(
            rf"^  {name}:", own.group(1), re.MULTILINE
        )

    @pytest.mark.parametrize("limit", sorted(PaceLimits.model_fields))
    def test_every_limit_has_its_place_in_the_form(self, limit):
        assert re.search(rf'^  \["{limit}", "', (WEB / "pages" / "limits.js").read_text(), re.MULTILINE)


def test_the_page_of_the_command_shows_every_field_in_its_example():
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    sms = page[page.index("\nsms:\n") : page.index("\nextensions:\n")]

    assert [name for name in FIELDS if not re.search(rf"^[ -] {name}:", sms, re.MULTILINE)] == []
