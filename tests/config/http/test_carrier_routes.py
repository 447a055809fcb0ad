"""Carriers declare what they are configured by: the API serves it, and reads and shows credentials by it."""

import pytest

from sms_common.carriers import CARRIERS
from sms_common.carriers.bandwidth import Bandwidth
from sms_common.testing.carriers import SpicyCarrier
from sms_config.main import ExternalServices
from sms_config.model.records import SmsConfigRecord
from tests.config.world import CREDENTIALS, TRUNK

pytestmark = pytest.mark.loopback
CARRIERS_PATH = "/api/v1/carriers"
SMS, TRUNKS = "/api/v1/sms", "/api/v1/trunks"
GIVEN = {"spice": "saffron 2 g", "paß-phrase": "Öffne dich"}
FIELD = "credentials.paß-phrase"


@pytest.fixture
def external(broker):
    return ExternalServices(broker, carriers={**CARRIERS, "spicy": SpicyCarrier})


@pytest.fixture
async def jar(api, acme):
    """A trunk of the odd carrier, made by the brand it declares."""
    return await api.made(TRUNKS, {"name": "Jar", "brand": "Spice & Söhne", "tenant_id": "acme"})


class TestTheDeclarations:
    @pytest.mark.parametrize("scope", ["send", "read", "config", "operate", "admin"])
    async def test_any_known_caller_may_read_them(self, acme, key_for, scope):
        caller = await key_for(scope, tenants=["acme"])

        answer = await caller.get(CARRIERS_PATH)

        assert (answer.status, answer.json["count"]) == (200, 2)
        assert [one["name"] for one in answer.json["items"]] == ["bandwidth", "spicy"]

    async def test_nobody_else_may(self, anyone):
        assert (await anyone.get(CARRIERS_PATH)).status == 401

    async def test_a_person_who_is_logged_in_may(self, ann):
        assert (await ann.call("GET", CARRIERS_PATH)).status == 200

    async def test_they_say_everything_that_a_form_is_drawn_from(self, api):
        bandwidth, spicy = (await api.get(CARRIERS_PATH)).json["items"]

        assert spicy == {
            "name": "spicy",
            "brand": "Spice & Söhne",
            "credentials": [
                {
                    "name": "spice",
                    "label": "Spice",
                    "known_as": "Gewürz",
                    "secret": False,
                    "required": True,
                    "aliases": [],
                    "pattern": "[a-z]+ [0-9]{1,3} g",
                    "pattern_says": "must be a spice and its weight",
                    "hint": "On the back of the jar.",
                },
                {
                    "name": "paß-phrase",
                    "label": "Paß phrase",
                    "known_as": None,
                    "secret": True,
                    "required": True,
                    "aliases": ["watchword"],
                    "pattern": ".{3,}",
                    "pattern_says": "must have 3 characters or more",
                    "hint": None,
                },
            ],
            "account": "spice",
            "callback": None,
            "limits": {
                "text": 1600,
                "media": 1,
                "media_url": 255,
                "media_bytes": 600_000,
                "message_bytes": None,
                "group_recipients": 1,
                "groups": False,
                "receipt_hours": None,
            },
            "setup": [
                {"title": "Jar", "text": "Open the jar."},
                {"title": "Post", "text": "Write {webhook} on the lid."},
            ],
            "setup_note": "A lid that is not shut loses its scent.",
            "campaign_name": "Recipe",
            "brand_name": "Kitchen",
        }
        assert bandwidth["callback"] == {"kind": "basic", "challenged": True}
        assert [one["name"] for one in bandwidth["credentials"] if not one["secret"]] == [
            "account_id",
            "application_id",
        ]
        assert bandwidth["limits"]["receipt_hours"] == 97

    async def test_the_openapi_document_names_the_credentials_of_all_carriers(self, api):
        document = (await api.get("/api/v1/openapi.json")).json
        credentials = document["components"]["schemas"]["Credentials"]

        names = {*Bandwidth.declaration.names, "username", "password", "spice", "paß-phrase", "watchword"}
        assert set(credentials["properties"]) == names
        assert credentials["additionalProperties"] is False


class TestCredentialsOfAnOddCarrier:
    async def test_they_make_a_complete_configuration(self, api, jar, dispatcher_snapshot):
        made = await api.made(SMS, {"name": "Odd", "provider_id": jar["id"], "credentials": GIVEN})

        assert (made["carrier"], made["state"], made["missing"]) == ("spicy", "active", [])
        assert list(made["credentials_set"]) == ["spice", "paß-phrase"]
        assert made["credentials_shown"] == {"spice": "saffron 2 g"}
        assert made["credentials_set"]["spice"]["last4"] == " 2 g"
        (config,) = (await dispatcher_snapshot())["configs"]
        assert config["credentials"] == GIVEN

    async def test_a_draft_names_what_is_missing(self, api, jar):
        made = await api.made(SMS, {"name": "Odd", "provider_id": jar["id"], "credentials": {"spice": "salt 1 g"}})

        assert (made["state"], made["missing"]) == ("draft", ["paß-phrase"])

    @pytest.mark.parametrize(
        ("given", "field", "part"),
        [
            ({"account_id": "9900123"}, "credentials.account_id", "is not a field of Spice & Söhne's credentials"),
            ({"spice": "Saffron"}, "credentials.spice", "must be a spice and its weight"),
            ({"paß-phrase": "ab"}, FIELD, "must have 3 characters or more"),
            ({"watchword": "ab"}, "credentials.watchword", "must have 3 characters or more"),
            ({"watchword": "abc", "paß-phrase": "xyz"}, "credentials.watchword", "another name for paß-phrase"),
            ({"paß-phrase": "hush\u200bhush"}, FIELD, "U+200B"),
            ({"paß-phrase": 5}, FIELD, "must be text"),
        ],
    )
    async def test_what_it_does_not_declare_is_refused_by_field(self, api, jar, given, field, part):
        answer = await api.call("POST", SMS, {"name": "Odd", "provider_id": jar["id"], "credentials": given})

        assert answer.status == 422, answer.text
        assert list(answer.field_errors()) == [field]
        assert part in answer.field_errors()[field]
        assert "hush" not in answer.text

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ({}, GIVEN),
            ({"paß-phrase": " "}, GIVEN),
            ({"watchword": "Sesam"}, {**GIVEN, "paß-phrase": "Sesam"}),
            ({"paß-phrase": None}, {"spice": "saffron 2 g"}),
            ({"watchword": None}, {"spice": "saffron 2 g"}),
            (None, {}),
        ],
    )
    async def test_absent_keeps_a_value_sets_and_null_removes(self, api, jar, dispatcher_snapshot, given, kept):
        made = await api.made(SMS, {"name": "Odd", "provider_id": jar["id"], "credentials": GIVEN})

        changed = await api.call("PATCH", f"{SMS}/{made['id']}", {"credentials": given})

        assert changed.status == 200, changed.text
        (config,) = (await dispatcher_snapshot())["configs"]
        assert config["credentials"] == kept

    async def test_they_are_tried_by_its_own_names(self, api, jar):
        made = await api.made(SMS, {"name": "Odd", "provider_id": jar["id"], "credentials": GIVEN})
        path = f"{SMS}/{made['id']}/test-credentials"

        tried = await api.call("POST", path, {"credentials": {"watchword": "Sesam"}})
        refused = await api.call("POST", path, {"credentials": {"api_token": "x"}})

        assert (tried.status, tried.json["ok"]) == (200, True)
        assert list(refused.field_errors()) == ["credentials.api_token"]

    async def test_a_callback_that_it_could_not_present_is_refused(self, api, jar):
        callback = {"username": "u", "password": "long enough"}

        answer = await api.call("POST", SMS, {"name": "Odd", "provider_id": jar["id"], "callback": callback})

        assert answer.field_errors() == {"callback": "must be null: Spice & Söhne presents no user and password"}


class TestWhatIsNoSecret:
    async def test_it_is_shown_and_secrets_are_not(self, sms):
        assert sms["credentials_shown"] == {name: CREDENTIALS[name] for name in ("account_id", "application_id")}

    async def test_it_is_encrypted_where_it_is_kept(self, sms, store):
        kept = str([record.model_dump() for records in store.records.values() for record in records.values()])

        assert CREDENTIALS["account_id"] not in kept
        assert CREDENTIALS["application_id"] not in kept

    async def test_what_a_former_release_stored_is_shown_too(self, api, sms, store):
        record = store.records[SmsConfigRecord][sms["id"]]
        old = {name: secret.model_copy(update={"shown": False}) for name, secret in record.secrets.items()}
        store.records[SmsConfigRecord][sms["id"]] = record.model_copy(update={"secrets": old})

        assert (await api.get(f"{SMS}/{sms['id']}")).json == sms

    async def test_what_was_read_can_be_written_back(self, api, sms):
        written = await api.call("PUT", f"{SMS}/{sms['id']}", {**sms, "name": "Again"})
        changed = await api.call("PATCH", f"{SMS}/{sms['id']}", {"credentials_shown": {"account_id": "1"}})

        assert (written.status, written.json["name"]) == (200, "Again")
        assert changed.field_errors() == {"credentials_shown": "can only be read"}

    async def test_the_audit_log_shows_it_before_and_after(self, api, sms, clock):
        clock.pass_time(minutes=1)
        await api.call("PATCH", f"{SMS}/{sms['id']}", {"credentials": {"account_id": "9900777", "api_secret": "new"}})

        found = await api.get(f"/api/v1/audit?filter=object_id eq {sms['id']} and action eq updated")

        (record,) = found.json["items"]
        ids = {"credentials.account_id": "9900123", "credentials.application_id": "app-0d3a-77aa"}
        assert record["changes"] == ["credentials.account_id", "credentials.api_secret"]
        assert record["credentials_before"] == ids
        assert record["credentials_after"] == {**ids, "credentials.account_id": "9900777"}

    async def test_on_a_lent_trunk_it_is_the_lenders_and_not_shown(self, api, acme):
        pools = [{"tenant_id": "acme", "dids": "2015550100"}]
        lent = await api.made(TRUNKS, {**TRUNK, "name": "Lent", "pools": pools})
        body = {"name": "N", "provider_id": lent["id"], "tenant_id": "acme", "credentials": CREDENTIALS}

        made = await api.made(SMS, body)
        (record,) = (await api.get(f"/api/v1/audit?filter=object_id eq {made['id']}")).json["items"]

        assert made["credentials_shown"] == record["credentials_after"] == {}


async def test_a_trunk_is_made_by_a_carriers_name_or_brand_and_else_refused(api, jar):
    by_name = await api.made(TRUNKS, {"name": "B", "brand": "Anything", "carrier": "spicy", "tenant_id": "acme"})
    unknown = await api.call("POST", TRUNKS, {"name": "C", "brand": "Salt", "tenant_id": "acme"})

    assert (jar["carrier"], jar["brand"]) == ("spicy", "Spice & Söhne")
    assert (by_name["carrier"], by_name["brand"]) == ("spicy", "Anything")
    assert unknown.field_errors() == {"brand": "is none of the carriers known here: bandwidth, spicy"}


async def test_a_wrong_credential_is_told_together_with_everything_else_that_is_wrong(api, jar):
    body = {"name": "", "sender_id": "1" * 40, "provider_id": jar["id"], "credentials": {"api_key": "x", "spice": "S"}}

    answer = await api.call("POST", SMS, body)

    assert set(answer.field_errors()) == {"name", "sender_id", "credentials.api_key", "credentials.spice"}
