import asyncio
from datetime import UTC, datetime

import pytest

from sms_common.configuration import DispatcherSnapshot, IngressSnapshot, PaceLimits
from sms_config.model.records import SmsConfigRecord
from tests.config.world import CREDENTIALS, DISPATCHER, INGRESS, TRUNK

pytestmark = pytest.mark.loopback
SMS = "/api/v1/sms"
INGRESS_PATH = "/internal/v1/snapshot/ingress"
DISPATCHER_PATH = "/internal/v1/snapshot/dispatcher"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def read(api):
    async def snapshot(path, **headers):
        credential = INGRESS if path == INGRESS_PATH else DISPATCHER
        return await api.with_credential(credential).get(path, headers=headers)

    return snapshot


async def test_an_empty_installation_has_empty_snapshots(read):
    ingress = IngressSnapshot.model_validate_json((await read(INGRESS_PATH)).text)
    dispatcher = DispatcherSnapshot.model_validate_json((await read(DISPATCHER_PATH)).text)

    assert (ingress.endpoints, dispatcher.tenants, dispatcher.configs) == ((), (), ())


async def test_ingress_finds_a_webhook_by_its_url_and_gets_the_callback_password(api, sms, read):
    await api.call("PATCH", f"{SMS}/{sms['id']}", {"callback": {"username": "bw", "password": "pass word"}})
    token = sms["webhook"].rsplit("/", 1)[1]

    snapshot = IngressSnapshot.model_validate_json((await read(INGRESS_PATH)).text)

    endpoint = snapshot.endpoint("bandwidth", token, NOW)
    assert endpoint is not None
    assert endpoint.callback is not None
    assert (endpoint.config_id, endpoint.tenant_id, endpoint.carrier) == (sms["id"], "acme", "bandwidth")
    assert (endpoint.callback.username, endpoint.callback.password.get_secret_value()) == ("bw", "pass word")


async def test_the_dispatcher_reads_numbers_as_the_tenant_has_them_read(api, acme, read):
    await api.made("/api/v1/tenants", {"id": "trusting", "name": "T", "country": "GB", "foreign_without_plus": True})

    snapshot = DispatcherSnapshot.model_validate_json((await read(DISPATCHER_PATH)).text)

    strict, trusting = snapshot.tenant("acme"), snapshot.tenant("trusting")
    assert [one and one.foreign_without_plus for one in (strict, trusting)] == [False, True]
    assert trusting
    assert trusting.number("12025550140") == "+12025550140"


async def test_ingress_gets_no_secret_that_could_send_and_no_token(sms, read):
    text = (await read(INGRESS_PATH)).text

    assert [value for value in CREDENTIALS.values() if value in text] == []
    assert sms["webhook"].rsplit("/", 1)[1] not in text


async def test_a_rotated_url_works_until_its_time(api, sms, read):
    old = sms["webhook"].rsplit("/", 1)[1]
    new = (await api.call("POST", f"{SMS}/{sms['id']}/rotate-webhook")).json["webhook"].rsplit("/", 1)[1]

    snapshot = IngressSnapshot.model_validate_json((await read(INGRESS_PATH)).text)

    found = [snapshot.endpoint("bandwidth", token, NOW) for token in (new, old)]
    assert [endpoint.config_id if endpoint else None for endpoint in found] == [sms["id"]] * 2
    assert snapshot.endpoint("bandwidth", old, NOW.replace(day=3)) is None


async def test_drafts_and_disabled_configurations_keep_their_webhooks(api, trunk, sms, clock, read):
    clock.pass_time(seconds=1)
    draft = await api.made(SMS, {"name": "Draft", "provider_id": trunk["id"]})
    await api.call("POST", f"{SMS}/{sms['id']}/disable")

    snapshot = IngressSnapshot.model_validate_json((await read(INGRESS_PATH)).text)

    assert [endpoint.config_id for endpoint in snapshot.endpoints] == [sms["id"], draft["id"]]


async def test_a_webhook_whose_password_cannot_be_read_is_closed_rather_than_open(api, sms, store, read):
    await api.call("PATCH", f"{SMS}/{sms['id']}", {"callback": {"username": "bw", "password": "p"}})
    record = store.records[SmsConfigRecord][sms["id"]]
    moved = {**record.secrets, "callback.password": record.secrets["credentials.api_secret"]}
    store.records[SmsConfigRecord][sms["id"]] = record.model_copy(update={"secrets": moved})

    assert (await read(INGRESS_PATH)).json["endpoints"] == []


async def test_the_dispatcher_gets_tenants_pools_and_configurations_with_their_secrets(api, sms, trunk, clock, read):
    clock.pass_time(minutes=1)
    bare = await api.made("/api/v1/trunks", {**TRUNK, "name": "Bare", "tenant_id": "acme"})
    draft = await api.made(
        SMS,
        {
            "name": "Draft",
            "provider_id": bare["id"],
            "credentials": {"account_id": "1"},
            "sender_id": "SHOP",
            "failure_policy": "fail",
            "limits": {"segments_per_second": 5, "burst": 3, "campaign_id": "C123", "brand_segments_per_day": 2000},
        },
    )
    await api.call("PATCH", "/api/v1/tenants/acme", {"default_config_id": draft["id"], "pbx_id": "pbx2"})
    await api.call("POST", f"{SMS}/{sms['id']}/disable")

    snapshot = DispatcherSnapshot.model_validate_json((await read(DISPATCHER_PATH)).text)

    tenant = snapshot.tenant("acme")
    assert tenant is not None
    assert (tenant.name, tenant.country, tenant.pbx_id, tenant.default_config_id) == ("Acme", "US", "pbx2", draft["id"])
    assert [(pool.tenant_id, pool.trunk_id) for pool in snapshot.pools] == [("acme", trunk["id"])]
    assert snapshot.owner_of("+12015550142") == snapshot.pools[0]
    assert snapshot.owner_of("+12015550200") is None
    first, second = snapshot.configs_of("acme")
    assert (first.id, first.enabled, first.carrier, first.trunk_id, first.brand) == (
        sms["id"],
        False,
        "bandwidth",
        trunk["id"],
        "Bandwidth",
    )
    assert (first.default_did, first.sender_id, first.failure_policy) == ("+12015550100", None, "hold")
    assert {name: value.get_secret_value() for name, value in first.credentials.items()} == CREDENTIALS
    assert (second.id, second.enabled, second.sender_id, second.default_did, second.failure_policy) == (
        draft["id"],
        True,
        "SHOP",
        None,
        "fail",
    )
    assert (second.limits.segments_per_second, second.limits.burst, second.limits.campaign_id) == (5.0, 3, "C123")
    assert first.limits == PaceLimits()
    assert (first.trunk_owner, second.trunk_owner) == ("acme", "acme")


@pytest.mark.parametrize("path", [INGRESS_PATH, DISPATCHER_PATH])
class TestCaching:
    async def test_an_unchanged_snapshot_is_not_sent_again(self, sms, read, path):
        first = await read(path)
        again = await read(path, **{"If-None-Match": first.headers["ETag"]})
        weak = await read(path, **{"If-None-Match": f'"x", W/{first.headers["ETag"]}'})

        assert first.headers["ETag"] == f'"{first.json["version"]}"'
        assert [(answer.status, answer.text, answer.headers["ETag"]) for answer in (again, weak)] == [
            (304, "", first.headers["ETag"])
        ] * 2

    async def test_each_change_is_seen_at_once(self, api, sms, read, path):
        seen = {(await read(path)).headers["ETag"]}
        for method, where, body in (
            ("PATCH", f"{SMS}/{sms['id']}", {"name": "New"}),
            ("POST", f"{SMS}/{sms['id']}/rotate-webhook", None),
            ("PATCH", "/api/v1/tenants/acme", {"name": "New"}),
            ("PATCH", f"/api/v1/trunks/{sms['provider_id']}", {"name": "New"}),
            ("DELETE", f"{SMS}/{sms['id']}", None),
        ):
            await api.call(method, where, body)
            seen.add((await read(path)).headers["ETag"])

        assert len(seen) == 6

    async def test_a_key_and_a_refused_change_are_no_news(self, api, sms, read, path, key_for):
        before = (await read(path)).headers["ETag"]
        await key_for("read")
        await api.call("PATCH", f"{SMS}/{sms['id']}", {"name": ""})
        await api.call("PATCH", f"{SMS}/{sms['id']}", {"name": "Main"})

        assert (await read(path)).headers["ETag"] == before

    async def test_a_change_by_another_process_is_seen_at_once(self, sms, read, path, serve, settings):
        other = await serve(settings)
        before = await read(path)

        await other.call("PATCH", f"{SMS}/{sms['id']}", {"name": "Changed elsewhere"})

        assert (await read(path)).headers["ETag"] != before.headers["ETag"]

    async def test_however_many_ask_at_once_it_is_rendered_once(self, sms, store, read, path, monkeypatch):
        rendered = []
        original = store.everything

        async def slow(**options):
            rendered.append(1)
            await asyncio.sleep(0)
            return await original(**options)

        monkeypatch.setattr(store, "everything", slow)

        answers = await asyncio.gather(*(read(path) for _ in range(5)))

        assert len({answer.text for answer in answers}) == len(rendered) == 1

    async def test_a_snapshot_is_rendered_once_for_each_version(self, api, sms, store, read, path, monkeypatch):
        rendered = []
        original = store.everything

        async def counted(**options):
            rendered.append(1)
            return await original(**options)

        monkeypatch.setattr(store, "everything", counted)
        for _ in range(3):
            await read(path)
        await api.call("POST", f"{SMS}/{sms['id']}/disable")
        await read(path)

        assert len(rendered) == 2
