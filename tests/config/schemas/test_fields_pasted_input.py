"""What is pasted into the API from sheets, chats and consoles is read, or refused beside its field with the place."""

from typing import Any

import pytest
from pydantic import SecretStr

from sms_config.model.records import SmsConfigRecord, TenantRecord, TrunkRecord, UserRecord
from sms_config.resources.sealing import Sealer
from sms_config.schemas.bodies import Callback
from tests.cases import case, cases
from tests.config.people import system_admin
from tests.config.world import CREDENTIALS, PASSWORD, TRUNK, quick_passwords

pytestmark = pytest.mark.loopback
TENANTS, TRUNKS, SMS = "/api/v1/tenants", "/api/v1/trunks", "/api/v1/sms"
UNSEEN = [*"\u200b\u200c\u2060\ufeff\u00ad\u180e\u061c\u3164\u202e\u200e\x00\x7f", "\U000e0041"]
COLUMNS = [given for given in cases("03-pasted-column") if "dids" in given]


class TestColumnsOfNumbers:
    @pytest.mark.parametrize("given", COLUMNS, ids=lambda given: ascii(given["dids"]))
    async def test_each_line_of_a_pasted_column_is_a_number(self, api, acme, given):
        made = await api.made(TRUNKS, given)

        count = given["dids"].count("+")
        assert made["dids"] == ";".join(["+12025550150", "+12025550151", "+12025550152"][:count])
        assert made["dids_count"] == {"numbers": count, "ranges": 0}

    @pytest.mark.parametrize(
        "between", [",", "\t", "\n\n", "\v", "\x85", "\u2029", " ;\t", "\uff0c", "\u3001"], ids=ascii
    )
    async def test_whatever_separates_them(self, api, acme, between):
        dids = f"\ufeff(202) 555-0150{between}(202) 555-0152 - (202) 555-0159{between}"

        made = await api.made(TRUNKS, {**TRUNK, "tenant_id": "acme", "dids": dids})

        assert made["dids"] == "+12025550150;+12025550152-+12025550159"
        assert made["dids_count"] == {"numbers": 9, "ranges": 1}

    async def test_numbers_that_are_lent_are_pasted_alike(self, api, acme):
        pool = {"tenant_id": "acme", "dids": "2025550150\r\n2025550151", "default_did": "2025550151\u200b"}

        made = await api.made(TRUNKS, {**TRUNK, "pools": [pool]})

        assert made["pools"] == [
            {"tenant_id": "acme", "dids": "+12025550150;+12025550151", "default_did": "+12025550151"}
        ]

    async def test_how_they_were_read_can_be_sent_back(self, api, trunk):
        assert trunk["dids_count"] == {"numbers": 100, "ranges": 1}
        assert (await api.call("PUT", f"{TRUNKS}/{trunk['id']}", trunk)).status == 200


def outcome(given: dict[str, Any]) -> tuple[str, int | None]:
    """The field that a case is about, and the place of what makes it refused; None when only its ends are pasted."""
    ((part, values),) = given.items()
    name = next(name for name, value in values.items() if not value.isascii() or "Bearer" in value)
    text = values[name].strip("\u200b\ufeff")
    inside = [place for place, one in enumerate(text, 1) if not one.isascii() or one == " "]
    return f"{part}.{name}", inside[0] if inside else None


class TestSecrets:
    @pytest.mark.parametrize("given", cases("06-invisible-in-credentials"), ids=ascii)
    async def test_a_secret_loses_what_nobody_sees_at_its_ends_and_may_not_hold_it(self, api, sms, given):
        field, place = outcome(given)

        answer = await api.call("PATCH", f"{SMS}/{sms['id']}", given)

        assert answer.status == (200 if place is None else 422), answer.text
        if place is not None:
            assert list(answer.field_errors()) == [field]
            assert answer.field_errors()[field].endswith(f") at place {place}")

    @pytest.mark.parametrize("name", CREDENTIALS)
    @pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
    async def test_whatever_it_is_that_nobody_sees(self, api, sms, dispatcher_snapshot, name, unseen):
        at_the_ends = await api.call(
            "PATCH", f"{SMS}/{sms['id']}", {"credentials": {name: f"{unseen} tok-1{unseen}\n"}}
        )
        kept = (await dispatcher_snapshot())["configs"][0]["credentials"][name]
        inside = await api.call("PATCH", f"{SMS}/{sms['id']}", {"credentials": {name: f"hush{unseen}hush"}})

        assert (at_the_ends.status, kept, inside.status) == (200, "tok-1", 422)
        assert f"(U+{ord(unseen):04X} " in inside.field_errors()[f"credentials.{name}"]
        assert inside.field_errors()[f"credentials.{name}"].endswith("at place 5")
        assert "hush" not in inside.text

    async def test_all_credentials_are_looked_at_together(self, api, trunk):
        wrong = dict.fromkeys(CREDENTIALS, "to\u2060k")

        answer = await api.call("POST", SMS, {"name": "N", "provider_id": trunk["id"], "credentials": wrong})

        assert set(answer.field_errors()) == {f"credentials.{name}" for name in CREDENTIALS}

    async def test_the_error_stands_beside_the_name_that_was_used(self, api, sms):
        answer = await api.call("PATCH", f"{SMS}/{sms['id']}", {"credentials": {"password": "to\u2060k"}})

        assert list(answer.field_errors()) == ["credentials.password"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("account_id", "https://dashboard.bandwidth.com/9900123"),
            ("account_id", "9900123,"),
            ("account_id", '"9900123"'),
            ("account_id", "93de2206-9669-4e07-948d-329f4b722ee2"),
            ("application_id", "{93de2206-9669-4e07-948d-329f4b722ee2}"),
            ("application_id", "me@example.com"),
        ],
    )
    async def test_an_id_that_cannot_be_one_is_refused_in_the_carriers_words(self, api, sms, name, value):
        answer = await api.call("PATCH", f"{SMS}/{sms['id']}", {"credentials": {name: value}})

        assert answer.field_errors()[f"credentials.{name}"].startswith("must be the A")
        assert value not in answer.text

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("account_id", "5500001"),
            ("account_id", "USER_ID"),
            ("application_id", "93de2206-9669-4e07-948d-329f4b722ee2"),
            ("application_id", "APPLICATION_ID"),
            ("api_secret", "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"),
        ],
    )
    async def test_what_carriers_and_manuals_write_is_taken(self, api, sms, name, value):
        assert (await api.call("PATCH", f"{SMS}/{sms['id']}", {"credentials": {name: value}})).status == 200

    async def test_credentials_that_are_only_tried_are_looked_at_alike(self, api, sms):
        tried = {"credentials": {"api_token": "to\u200bk"}}

        answer = await api.call("POST", f"{SMS}/{sms['id']}/test-credentials", tried)

        assert answer.field_errors() == {
            "credentials.api_token": "holds an invisible character (U+200B ZERO WIDTH SPACE) at place 3"
        }

    async def test_a_stored_secret_of_old_that_cannot_work_is_told_by_the_trial(self, api, sms, store, ring, clock):
        record = store.records[SmsConfigRecord][sms["id"]]
        old = {"api_secret": SecretStr("hush\u200bhush")}
        store.records[SmsConfigRecord][sms["id"]] = Sealer(ring, clock()).credentials(record, old, (), audited=False)

        answer = await api.call("POST", f"{SMS}/{sms['id']}/test-credentials")

        (step,) = answer.json["steps"]
        assert (step["ok"], step["code"]) == (False, "credentials_refused")
        assert (
            step["says"]
            == "api_secret holds an invisible character (U+200B ZERO WIDTH SPACE) at place 5. Enter it again."
        )


class TestCallbackPasswords:
    async def test_a_password_that_programs_encode_differently_is_refused_when_it_is_saved(self, api, sms):
        given = {"callback": case("35-callback-non-ascii")["input"]["callback"]}

        answer = await api.call("PATCH", f"{SMS}/{sms['id']}", given)

        said = "holds a character outside ASCII (U+00FC LATIN SMALL LETTER U WITH DIAERESIS) at place 5"
        assert answer.field_errors() == {"callback.password": said}

    async def test_a_passphrase_and_its_blanks_are_taken(self, api, sms, ingress_snapshot):
        given = {"username": " sms user\u200b", "password": "\ufeffA LONG RANDOM PASSWORD\r\n"}

        answer = await api.call("PATCH", f"{SMS}/{sms['id']}", {"callback": given})

        kept = {"username": "sms user", "password": "A LONG RANDOM PASSWORD"}
        assert (answer.status, (await ingress_snapshot())["endpoints"][0]["callback"]) == (200, kept)

    async def test_a_stored_password_of_old_lets_everything_else_be_changed(self, api, sms, store, ring, clock):
        record = store.records[SmsConfigRecord][sms["id"]]
        old = Callback.model_construct({"username", "password"}, username="sms", password=SecretStr("Schl\u00fcssel"))
        store.records[SmsConfigRecord][sms["id"]] = Sealer(ring, clock()).callback(record, old)

        answer = await api.call("PATCH", f"{SMS}/{sms['id']}", {"name": "Renamed", "callback": {"username": "sms"}})

        assert (answer.status, answer.json["callback"]["password_set"]) == (200, True)


class TestPeople:
    @pytest.mark.parametrize(
        "name", ["boss ", " BOSS", "boss\n", "\ufeffboss", "boss\u200b", "\u00a0boss\u2060"], ids=ascii
    )
    async def test_a_pasted_user_name_logs_in(self, api, boss, browser, name):
        assert (await browser.log_in(name)).status == 201

    async def test_a_pasted_name_and_password_are_kept_clean_and_log_in_however_they_are_pasted(self, api, browser):
        await api.made("/api/v1/users", system_admin("eve\u200b", password=f"\u200b{PASSWORD}\r\n"))

        for name, password in (("eve", PASSWORD), ("eve", f"{PASSWORD}\n"), (" eve", f"\ufeff{PASSWORD} ")):
            assert (await browser.log_in(name, password)).status == 201
        assert (await browser.log_in("eve", PASSWORD[:-1])).status == 401

    async def test_a_password_of_old_with_blanks_around_it_still_opens(self, api, boss, browser, store):
        (user,) = store.records[UserRecord].values()
        old = await quick_passwords().hash(SecretStr(f" {PASSWORD} "))
        store.records[UserRecord][user.id] = user.model_copy(update={"password_hash": old})

        assert (await browser.log_in("boss", f" {PASSWORD} ")).status == 201
        assert (await browser.log_in("boss", PASSWORD)).status == 401

    async def test_a_password_typed_in_another_form_of_its_letters_opens(self, api, browser):
        await api.made("/api/v1/users", system_admin("eve", password="sch\u00f6nes langes wort"))

        assert (await browser.log_in("eve", "scho\u0308nes langes wort")).status == 201

    @pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
    async def test_a_password_may_not_hold_what_nobody_can_type(self, api, unseen):
        answer = await api.call("POST", "/api/v1/users", system_admin("eve", password=f"hush{unseen}{PASSWORD}"))

        assert answer.status == 422
        assert answer.field_errors()["password"].endswith(") at place 5")
        assert "hush" not in answer.text


class TestNames:
    @pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
    async def test_a_name_is_what_is_seen(self, api, unseen):
        kept = await api.made(TENANTS, {"name": f"{unseen} Acme{unseen}"})
        refused = await api.call("POST", TENANTS, {"name": f"Ac{unseen}me"})

        assert kept["name"] == "Acme"
        assert refused.field_errors()["name"].startswith(f"holds an invisible character (U+{ord(unseen):04X} ")
        assert refused.field_errors()["name"].endswith(") at place 3")

    async def test_a_name_has_one_form_and_is_found_in_any(self, api):
        made = await api.made(TENANTS, {"name": "Bronte\u0301\u00a0Nord"})

        assert made["name"] == "Bront\u00e9 Nord"
        for asked in ("search=Bronte\u0301", "name=Bronte\u0301 Nord\u200b", "filter=name eq 'Bronte\u0301 Nord'"):
            assert (await api.get(f"{TENANTS}?{asked}")).json["count"] == 1, ascii(asked)

    @pytest.mark.parametrize(
        "name",
        ["Main trunk", "MAIN TRUNK", " Main\u00a0trunk ", "Main  trunk", "\uff2dain trunk", "Main trunk\u200b"],
        ids=ascii,
    )
    async def test_two_trunks_of_a_tenant_do_not_look_alike(self, api, trunk, name):
        answer = await api.call("POST", TRUNKS, {**TRUNK, "tenant_id": "acme", "name": name})

        assert (answer.status, answer.json["code"], list(answer.field_errors())) == (409, "name_taken", ["name"])
        assert trunk["id"] in answer.text

    async def test_another_tenant_has_its_own_names(self, api, trunk):
        await api.made(TENANTS, {"id": "other", "name": "O"})

        assert (await api.made(TRUNKS, {**TRUNK, "tenant_id": "other"}))["name"] == trunk["name"]
        assert (await api.made(TRUNKS, {**TRUNK, "pools": []}))["name"] == trunk["name"]
        assert (await api.call("POST", TRUNKS, {**TRUNK, "pools": []})).json["code"] == "name_taken"

    async def test_a_trunk_may_not_be_renamed_into_another_and_may_keep_its_own_name(self, api, trunk):
        second = await api.made(TRUNKS, {**TRUNK, "tenant_id": "acme", "name": "Second"})

        refused = await api.call("PATCH", f"{TRUNKS}/{second['id']}", {"name": "main trunk"})
        own = await api.call("PATCH", f"{TRUNKS}/{second['id']}", {"name": "SECOND"})

        assert (refused.status, refused.json["code"], own.status) == (409, "name_taken", 200)

    async def test_trunks_of_old_that_are_called_alike_can_still_be_changed(self, api, trunk, store):
        second = await api.made(TRUNKS, {**TRUNK, "tenant_id": "acme", "name": "Second"})
        record = store.records[TrunkRecord][second["id"]]
        store.records[TrunkRecord][second["id"]] = record.model_copy(update={"name": trunk["name"]})

        changed = await api.call("PATCH", f"{TRUNKS}/{second['id']}", {"hostname": "b.example.com"})
        apart = await api.call("PATCH", f"{TRUNKS}/{second['id']}", {"name": "Second"})

        assert (changed.status, apart.status) == (200, 200)


class TestWords:
    @pytest.mark.parametrize(
        ("path", "given", "field", "kept"),
        [
            (TENANTS, {"name": "N", "id": "\ufeffacme-2\n"}, "id", "acme-2"),
            (TENANTS, {"name": "N", "country": " us\u200b"}, "country", "US"),
            (TENANTS, {"name": "N", "time_zone": "Europe/Berlin\u200b\n"}, "time_zone", "Europe/Berlin"),
            (TENANTS, {"name": "N", "pbx_id": "\u2060pbx2 "}, "pbx_id", "pbx2"),
            (
                TRUNKS,
                {**TRUNK, "tenant_id": "acme\u200b", "hostname": "sip.example.com\u200e"},
                "hostname",
                "sip.example.com",
            ),
            (TRUNKS, {**TRUNK, "tenant_id": "acme", "carrier": "Bandwidth\u00ad"}, "carrier", "bandwidth"),
            ("/api/v1/users", system_admin("\u200beve@example.com\n"), "name", "eve@example.com"),
        ],
    )
    async def test_ids_hostnames_and_the_like_lose_what_was_pasted_around_them(
        self, api, acme, path, given, field, kept
    ):
        assert (await api.made(path, given))[field] == kept

    @pytest.mark.parametrize(
        ("path", "given", "field"),
        [
            (TENANTS, {"name": "N", "id": "ac\u200bme"}, "id"),
            (TENANTS, {"name": "N", "pbx_id": "pb\u200bx"}, "pbx_id"),
            (TENANTS, {"name": "N", "time_zone": "UT\u200bC"}, "time_zone"),
            (TRUNKS, {**TRUNK, "tenant_id": "ac\u200bme"}, "tenant_id"),
            (TRUNKS, {**TRUNK, "tenant_id": "acme", "hostname": "si\u200bp.example.com"}, "hostname"),
            (TRUNKS, {**TRUNK, "tenant_id": "acme", "brand": "Ba\u200bndwidth"}, "brand"),
            ("/api/v1/users", system_admin("ev\u200be"), "name"),
        ],
    )
    async def test_inside_it_is_refused_with_its_place(self, api, acme, path, given, field):
        answer = await api.call("POST", path, given)

        assert answer.field_errors() == {field: "holds an invisible character (U+200B ZERO WIDTH SPACE) at place 3"}

    async def test_a_body_may_begin_with_a_byte_order_mark(self, api):
        body = b'\xef\xbb\xbf{"name": "N"}'

        answer = await api.call("POST", TENANTS, data=body, headers={"Content-Type": "application/json"})

        assert answer.status == 201


class TestTimeZones:
    @pytest.mark.parametrize(
        "zone", ["localtime", "Factory", "posixrules", "posix/UTC", "right/UTC", "utc ", "EST5 EDT"]
    )
    async def test_a_zone_is_a_place(self, api, acme, zone):
        made = await api.call("POST", TENANTS, {"name": "N", "time_zone": zone})
        clock = await api.call("PATCH", "/api/v1/routing?tenant_id=acme", {"time_zone": zone})

        assert (made.status, clock.status) == (422, 422)
        assert list(made.field_errors()) == list(clock.field_errors()) == ["time_zone"]

    async def test_a_stored_zone_of_old_goes_on_until_somebody_chooses_another(self, api, acme, store):
        store.records[TenantRecord]["acme"] = store.records[TenantRecord]["acme"].model_copy(
            update={"time_zone": "localtime", "name": "Ac\u200bme"}
        )

        shown = (await api.get(f"{TENANTS}/acme")).json
        country = await api.call("PATCH", f"{TENANTS}/acme", {"country": "CA"})
        sent_back = await api.call("PUT", f"{TENANTS}/acme", {**country.json, "country": "US"})
        clock = await api.call("PATCH", "/api/v1/routing?tenant_id=acme", {"holidays": ["2026-12-25"]})
        other = await api.call("PATCH", f"{TENANTS}/acme", {"time_zone": "Factory"})

        assert (shown["time_zone"], country.json["time_zone"], clock.json["time_zone"]) == ("localtime",) * 3
        assert [answer.status for answer in (country, sent_back, clock, other)] == [200, 200, 200, 422]


@pytest.mark.parametrize("given", cases("10-php-empty-map")[1:], ids=str)
async def test_a_map_that_php_writes_as_an_empty_list_changes_nothing(api, sms, given):
    before = (await api.get(f"{SMS}/{sms['id']}")).json

    answer = await api.call("PATCH", f"{SMS}/{sms['id']}", given["PATCH sms"])

    assert answer.status == 200, answer.text
    stamps = ("version", "updated_at", "updated_by")
    assert {name: value for name, value in answer.json.items() if name not in stamps} == {
        name: value for name, value in before.items() if name not in stamps
    }


async def test_a_body_behind_a_byte_order_mark_is_read_as_without_it(api):
    body = bytes.fromhex(case("22-byte-order-mark")["input"]["amqp_body_hex_prefix"]) + b'{"name": "Acme"}'

    answer = await api.call("POST", TENANTS, data=body, headers={"Content-Type": "application/json"})

    assert (answer.status, answer.json["name"]) == (201, "Acme")


class TestRules:
    @pytest.mark.parametrize("written", ["101.0", "101.", "1.01E2", "1.01e+02", "10x"])
    async def test_what_a_sheet_makes_of_an_extension_is_no_destination(self, api, acme, written):
        rule = {"tenant_id": "acme", "name": "In", "office": {"destination": written}}

        answer = await api.call("POST", "/api/v1/inbound-rules", rule)

        assert (answer.status, list(answer.field_errors())) == (422, ["office.destination"])

    async def test_extensions_are_read_with_the_country_of_the_tenant(self, api, sms):
        rule = {"tenant_id": "acme", "name": "Out", "routes": [{"config_id": sms["id"]}]}
        read = await api.made("/api/v1/outbound-rules", {**rule, "extensions": "'101\n(202) 555-0143"})
        refused = await api.call("POST", "/api/v1/outbound-rules", {**rule, "extensions": "100-199 205"})

        assert read["extensions"] == "101;2025550143"
        assert list(refused.field_errors()) == ["extensions"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"prefixes": "-"},
            {"lengths": [2]},
            {"extensions": "1XX"},
            {"groups": ["a\u200bb"]},
            {"categories": ["spam"]},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("method", ["POST", "PUT"])
    async def test_a_condition_that_is_wrong_is_not_also_said_to_be_missing(self, api, sms, wrong, method):
        rule = {"name": "Out", "routes": [{"config_id": sms["id"]}]}
        path = "/api/v1/outbound-rules"
        if method == "PUT":
            path += f"/{(await api.made(path, {**rule, 'tenant_id': 'acme', 'prefixes': '+'}))['id']}"

        answer = await api.call(method, path, {**rule, **wrong} | ({"tenant_id": "acme"} if method == "POST" else {}))

        assert answer.status == 422
        assert {field.partition(".")[0] for field in answer.field_errors()} == {*wrong}
