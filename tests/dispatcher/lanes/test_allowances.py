"""What a lane may send: its own limits, and those that it shares by account, campaign and brand."""

import pytest
from pydantic import SecretStr

from sms_common.configuration import PaceLimits
from sms_common.testing.carriers import FakeCarrier
from sms_dispatcher.lanes.allowances import allowances
from tests.dispatcher.builders import config, snapshot

CARRIERS = {"fake": FakeCarrier()}
ACCOUNT = "account:fake:*:5500001"


def limited(id_: str = "cfg", account: str = "5500001", owner: str | None = None, **limits):
    credentials = {"account_id": SecretStr(account)}
    return config(id=id_, trunk_owner=owner, credentials=credentials, limits=PaceLimits(**limits))


@pytest.mark.parametrize(
    ("configs", "shared", "brand"),
    [
        ([limited()], (), None),
        ([limited(account_segments_per_second=5)], ((ACCOUNT, 5),), None),
        ([limited(), limited("b", account_segments_per_second=5)], ((ACCOUNT, 5),), None),
        ([limited(account_segments_per_second=9), limited("b", account_segments_per_second=5)], ((ACCOUNT, 5),), None),
        ([limited(), limited("b", account="another", account_segments_per_second=5)], (), None),
        (
            [limited(account_segments_per_second=5, campaign_id="C1", campaign_segments_per_minute=60)],
            (("campaign:fake:*:C1", 1), (ACCOUNT, 5)),
            None,
        ),
        ([limited(campaign_id="C1")], (), None),
        ([limited(campaign_id="C1"), limited("b", campaign_id="C1", campaign_segments_per_minute=60)],
         (("campaign:fake:*:C1", 1),), None),
        ([limited(brand_id="B", brand_segments_per_day=10), limited("b", brand_id="B", brand_segments_per_day=7)],
         (), ("brand:fake:*:B", 7)),
    ],
)  # fmt: skip
def test_what_is_shared_is_as_low_as_the_lowest_says(configs, shared, brand):
    allowance = allowances(snapshot(*configs), CARRIERS)["cfg"]

    assert (allowance.shared, allowance.brand) == (shared, brand)


def test_what_another_owner_of_trunks_says_of_the_same_names_does_not_count():
    mean = PaceLimits(
        account_segments_per_second=0.01,
        campaign_id="C",
        campaign_segments_per_minute=1,
        brand_id="B",
        brand_segments_per_day=1,
    )
    ours = limited(owner="acme", account_segments_per_second=50, brand_id="B", brand_segments_per_day=900)
    others = [
        limited(id_, owner=owner).model_copy(update={"limits": mean}) for id_, owner in (("b", "it"), ("c", None))
    ]

    allowance = allowances(snapshot(ours, *others), CARRIERS)["cfg"]

    shared, brand = (("account:fake:acme:5500001", 50),), ("brand:fake:acme:B", 900)
    assert (allowance.shared, allowance.brand) == (shared, brand)


def of(id_: str, owner: str, secret: str, account: str = "5500001", rate: float | None = None):
    credentials = {"account_id": account, "api_token": "token", "api_secret": secret}
    shown = {name: SecretStr(value) for name, value in credentials.items() if value}
    return config(
        id=id_,
        trunk_owner=owner,
        credentials=shown,
        limits=PaceLimits(account_segments_per_second=rate, campaign_id="C"),
    )


@pytest.mark.parametrize(
    ("others", "rate"),
    [
        pytest.param([of("b", "other", "s1", rate=5)], 5, id="another owner with the same secrets"),
        pytest.param([of("b", "other", "s2", rate=5)], 50, id="another owner with other secrets"),
        pytest.param([of("b", "other", "", rate=5)], 50, id="another owner without secrets"),
        pytest.param([of("b", "other", "s1", account="2", rate=5)], 50, id="the same secrets for another account"),
        pytest.param([of("b", "acme", "s2", rate=5)], 5, id="the same owner with other secrets"),
        pytest.param([of("b", "acme", "s2"), of("c", "it", "s2", rate=5)], 5, id="by way of the same owner"),
        pytest.param([of("b", "zed", "s1"), of("c", "zed", "s3"), of("d", "it", "s3", rate=5)], 5, id="by a long way"),
    ],
)
def test_who_proves_to_have_the_same_account_shares_it(others, rate):
    found = allowances(snapshot(of("cfg", "acme", "s1", rate=50), *others), CARRIERS)

    assert [share for name, share in found["cfg"].shared if name.startswith("account:")] == [rate]
    assert not any("s1" in name or "token" in name for one in found.values() for name, _ in one.shared)


@pytest.mark.parametrize(
    "limits",
    [
        {"segments_per_second": 1},
        {"number_segments_per_minute": 1},
        {"account_segments_per_second": 1},
        {"campaign_id": "C", "campaign_segments_per_minute": 1},
        {"brand_id": "B", "brand_segments_per_day": 1},
    ],
)
def test_any_limit_is_a_limit(limits):
    assert not allowances(snapshot(limited(**limits)), CARRIERS)["cfg"].unlimited
    assert allowances(snapshot(limited()), CARRIERS)["cfg"].unlimited
