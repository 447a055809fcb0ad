"""Whoever has a webhook's token can speak as the carrier: it is shown to those who may change it and to nobody else."""

import pytest

from tests.config.world import PUBLIC

pytestmark = pytest.mark.loopback
SMS = "/api/v1/sms"
MASKED = f"{PUBLIC}/webhooks/bandwidth/***"


@pytest.fixture
def token(sms):
    return sms["webhook"].rpartition("/")[2]


@pytest.mark.parametrize(
    ("scopes", "shown"),
    [
        (["read"], False),
        (["operate"], False),
        (["send", "read"], False),
        (["config"], True),
        (["read", "config"], True),
        (["admin"], True),
    ],
    ids=["read", "operate", "send and read", "config", "read and config", "admin"],
)
@pytest.mark.parametrize("tenants", [None, ["acme"]], ids=["all", "one"])
async def test_who_may_only_read_sees_no_token(key_for, sms, token, scopes, shown, tenants):
    key = await key_for(*scopes, tenants=tenants)

    answers = [await key.get(path) for path in (SMS, f"{SMS}/{sms['id']}", f"{SMS}?search=Main&top=1")]

    assert [token in answer.text for answer in answers] == [shown] * 3
    one = answers[1].json["webhook"]
    assert one == (sms["webhook"] if shown else MASKED)


async def test_no_other_answer_holds_it(api, key_for, sms, token):
    await api.call("POST", f"{SMS}/{sms['id']}/rotate-webhook", {})
    fresh = (await api.get(f"{SMS}/{sms['id']}")).json["webhook"].rpartition("/")[2]
    everything = await key_for("admin")

    paths = [
        f"/api/v1/sms-health?ids={sms['id']}",
        "/api/v1/audit",
        "/api/v1/tenants",
        "/api/v1/trunks",
        "/api/v1/dead-letters",
        "/api/v1/unrouted",
        "/api/v1/openapi.json",
    ]
    answers = [await everything.get(path) for path in paths]
    answers.append(await everything.call("POST", f"{SMS}/{sms['id']}/test-webhook"))

    assert [answer.status for answer in answers] == [200] * len(answers)
    assert [path for path, answer in zip(paths, answers, strict=False) if token in answer.text] == []
    assert [path for path, answer in zip(paths, answers, strict=False) if fresh in answer.text] == []
    assert fresh not in answers[-1].text


async def test_what_was_read_masked_can_be_written_back(api, key_for, sms):
    read = (await (await key_for("read")).get(f"{SMS}/{sms['id']}")).json

    written = await api.call("PUT", f"{SMS}/{sms['id']}", read)

    assert (written.status, written.json["webhook"]) == (200, sms["webhook"])


async def test_in_the_portal_those_who_may_write_see_it(boss, ann, sms):
    assert [(await person.get(f"{SMS}/{sms['id']}")).json["webhook"] for person in (boss, ann)] == [sms["webhook"]] * 2
