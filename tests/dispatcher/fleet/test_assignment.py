"""Which member should own which shard: all agree, each shard has one owner, and little moves."""

from hypothesis import given
from hypothesis import strategies as st

from sms_dispatcher.fleet.assignment import assign

WORK = st.dictionaries(st.text("abcdef0123456789", min_size=1, max_size=8), st.sampled_from("xyz"), max_size=60)
MEMBERS = st.sets(st.text("mnop", min_size=1, max_size=4), min_size=1, max_size=6)
# 300 tenants with a queue and two lanes each.
MANY = {f"{tenant}.{n}": str(tenant) for tenant in range(300) for n in range(3)}


@given(work=WORK, members=MEMBERS)
def test_every_shard_has_one_owner(work, members):
    done = assign(work, members)

    assert sorted(shard for shards in done.values() for shard in shards) == sorted(work)
    assert set(done) == members


@given(work=WORK, members=MEMBERS)
def test_the_order_in_which_things_are_named_does_not_matter(work, members):
    backwards = dict(reversed(list(work.items())))

    assert assign(work, sorted(members)) == assign(backwards, sorted(members, reverse=True))


@given(work=WORK, members=MEMBERS)
def test_nobody_does_much_more_than_a_fair_share(work, members):
    fair = len(work) / len(members)

    assert all(len(shards) <= 1.6 * fair + 2 for shards in assign(work, members).values())


def test_without_members_nothing_is_done():
    assert assign({"a": ""}, ()) == {}


def test_what_belongs_together_stays_together():
    done = assign(MANY, {"a", "b", "c", "d"})
    doers = {tenant: {m for m, shards in done.items() if f"{tenant}.0" in shards} for tenant in range(300)}

    assert all(all(f"{tenant}.{n}" in done[doer] for n in range(3)) for tenant, (doer,) in doers.items())


def test_the_lanes_of_one_large_tenant_are_spread():
    done = assign({f"lane-{n}": "large" for n in range(1000)}, {"a", "b", "c", "d"})

    assert all(200 <= len(shards) <= 300 for shards in done.values())


def test_one_who_joins_moves_about_its_share():
    before, after = assign(MANY, {"a", "b", "c"}), assign(MANY, {"a", "b", "c", "d"})
    stayed = sum(len(before[member] & after[member]) for member in before)

    assert stayed > len(MANY) / 2
