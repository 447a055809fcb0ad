"""What the services ask a snapshot of the configuration."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sms_common.configuration import (
    DidPool,
    DispatcherSnapshot,
    IngressSnapshot,
    SmsConfig,
    TenantRules,
    WebhookEndpoint,
    WebhookToken,
    token_digest,
)
from sms_common.rules import Extension, Permission

TENANT = {"tenant_id": "acme"}


@pytest.mark.parametrize(
    ("listed", "asked", "found"),
    [
        (["109"], "109 ", "109"),
        (["109"], "0109", "109"),
        (["109"], "+109", "109"),
        (["0109"], "109", "0109"),
        (["109", "0109"], "0109", "0109"),
        (["Sales"], "SALES", "Sales"),
        (["109"], "1090", None),
        (["109"], "009", None),
    ],
)
def test_a_listed_extension_is_found_however_it_is_written(listed, asked, found):
    rules = TenantRules(**TENANT, extensions=tuple(Extension(extension=one) for one in listed))

    extension = rules.extension(asked)

    assert (extension and extension.extension) == found


def test_of_two_that_are_written_alike_the_one_that_may_not_send_counts():
    both = Extension(extension="sales", permission=Permission.DISABLE), Extension(extension="Sales")

    found = TenantRules(**TENANT, extensions=both).extension("SALES")

    assert found is not None
    assert found.permission is Permission.DISABLE


@pytest.mark.parametrize("permission", Permission)
def test_a_tenant_decides_what_unlisted_extensions_may_do(permission):
    listed = Extension(extension="101", permission=Permission.ALLOW)
    rules = TenantRules(**TENANT, extensions=(listed,), unlisted_extensions=permission)

    unlisted = rules.extension("102")

    assert rules.extension("101") is not None
    assert (unlisted.permission if unlisted else Permission.ALLOW_WITH_SENDER_ID) is permission


NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ENDPOINTS = IngressSnapshot(
    version="1",
    endpoints=(
        WebhookEndpoint(
            config_id="c1",
            tenant_id="acme",
            carrier="bandwidth",
            tokens=(
                WebhookToken(sha256=token_digest("new")),
                WebhookToken(sha256=token_digest("old"), valid_until=NOW),
            ),
        ),
        WebhookEndpoint(
            config_id="c2", tenant_id="acme", carrier="other", tokens=(WebhookToken(sha256=token_digest("new")),)
        ),
    ),
)


@pytest.mark.parametrize(
    ("carrier", "token", "at", "found"),
    [
        ("bandwidth", "new", NOW, "c1"),
        ("other", "new", NOW, "c2"),
        ("bandwidth", "old", NOW - timedelta(seconds=1), "c1"),
        ("bandwidth", "old", NOW, None),
        ("other", "old", NOW - timedelta(seconds=1), None),
        ("bandwidth", "", NOW, None),
        ("bandwidth", "\udcff", NOW, None),
    ],
)
def test_a_webhook_is_found_by_its_token_until_that_ends(carrier, token, at, found):
    endpoint = ENDPOINTS.endpoint(carrier, token, at)

    assert (endpoint and endpoint.config_id) == found


POOLS = (
    DidPool(tenant_id="acme", trunk_id="t1", numbers="+12015550100-+12015550109;+12015550120"),
    DidPool(tenant_id="globex", trunk_id="t2", numbers="+12015550110-+12015550119"),
    DidPool(tenant_id="one", trunk_id="t3", numbers="+12015550130"),
    DidPool(tenant_id="two", trunk_id="t4", numbers="+12015550140"),
    DidPool(tenant_id="two", trunk_id="t5", numbers="+12015550150"),
)


def config(tenant_id: str, **values: Any) -> SmsConfig:
    return SmsConfig(id=f"of-{tenant_id}", tenant_id=tenant_id, carrier="bandwidth", trunk_id="t", **values)


@pytest.mark.parametrize(
    ("did", "owner"),
    [
        ("+12015550099", None),
        ("+12015550100", "acme"),
        ("12015550109", "acme"),
        ("+12015550110", "globex"),
        ("+12015550119", "globex"),
        ("+12015550120", "acme"),
        ("+12015550121", None),
        ("ACME", None),
        ("", None),
        ("+\u0661\u0662", None),
    ],
)
def test_a_number_has_one_owner_or_none(did, owner):
    pool = DispatcherSnapshot(version="1", pools=POOLS).owner_of(did)

    assert (pool and pool.tenant_id) == owner


@pytest.mark.parametrize(
    ("tenant_id", "sender_id", "choice"),
    [
        pytest.param("acme", None, True, id="several numbers"),
        pytest.param("two", None, True, id="a number on each of two trunks"),
        pytest.param("one", None, False, id="one number"),
        pytest.param("one", "ACME", True, id="one number and a name"),
        pytest.param("one", "+12015550130", False, id="one number that is the sender id too"),
        pytest.param("none", "ACME", False, id="a name alone"),
    ],
)
def test_a_conversation_decides_only_where_there_is_a_choice_of_senders(tenant_id, sender_id, choice):
    configs = (config(tenant_id, sender_id=sender_id, default_did="+12015550130"),)

    assert DispatcherSnapshot(version="1", pools=POOLS, configs=configs).has_choice_of_senders(tenant_id) is choice


def test_what_is_not_there_is_none_and_has_no_rules():
    snapshot = DispatcherSnapshot(version="1", configs=(config("acme"),))

    assert (snapshot.tenant("acme"), snapshot.config("gone"), snapshot.configs_of("globex")) == (None, None, ())
    assert [one.id for one in snapshot.configs_of("acme")] == ["of-acme"]
    assert snapshot.rules_of("acme") == TenantRules(tenant_id="acme")


@pytest.mark.parametrize(("word", "policy"), [("resend", "resend"), ("at_least_once", "resend"), ("fail", "fail")])
def test_at_least_once_is_another_word_for_resend(word, policy):
    assert config("acme", failure_policy=word).failure_policy == policy
