"""Which dispatcher should own which shard. Every process that sees the same members gets the same answer. Pure."""

import hashlib
import math
from collections.abc import Collection, Mapping

# Loads may differ by so much, so that little moves when a member joins or leaves.
_SLACK = 1.1


def assign(shards: Mapping[str, str], members: Collection[str]) -> Mapping[str, frozenset[str]]:
    """The shards of each member. `shards` maps each shard to its group. One member owns a whole group, unless the group
    is more than half of a fair share.

    This is rendezvous hashing (Thaler and Ravishankar, 1998) with bounded loads: a group is assigned to the member that
    ranks highest for it and has room. So little moves when a member joins or leaves, and none has much more than its
    share.
    """
    done: dict[str, set[str]] = {member: set() for member in members}
    if not done:
        return {}
    most = math.ceil(len(shards) / len(done) * _SLACK)
    for unit in sorted(_units(shards, len(done)), key=lambda unit: (-len(unit), _rank(unit[0], ""))):
        ranked = sorted(done, key=lambda member: _rank(unit[0], member), reverse=True)
        chosen = next((member for member in ranked if len(done[member]) + len(unit) <= most), None)
        done[chosen or min(ranked, key=lambda member: len(done[member]))].update(unit)
    return {member: frozenset(owned) for member, owned in done.items()}


def _units(shards: Mapping[str, str], members: int) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for shard in sorted(shards):
        groups.setdefault(shards[shard], []).append(shard)
    largest = len(shards) / members / 2 if members > 1 else len(shards)
    units: list[list[str]] = []
    for group in groups.values():
        units += [group] if len(group) <= largest else [[shard] for shard in group]
    return units


def _rank(shard: str, member: str) -> bytes:
    return hashlib.blake2b(f"{shard}/{member}".encode(), digest_size=8).digest()
