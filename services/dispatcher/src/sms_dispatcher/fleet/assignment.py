"""Which dispatcher does which work: the same answer in every process that sees the same members. Pure."""

import hashlib
import math
from collections.abc import Collection, Mapping

# Loads may differ by so much, so that one who joins or leaves moves little.
_SLACK = 1.1


def assign(work: Mapping[str, str], members: Collection[str]) -> Mapping[str, frozenset[str]]:
    """The work of each member. `work` maps each piece to its group: what belongs together is done by one member, unless
    the group is more than half of a fair share.

    Rendezvous hashing (Thaler and Ravishankar, 1998) with bounded loads: each goes to the member that ranks highest for
    it and has room, so that a member who joins or leaves moves little and none carries much more than its share.
    """
    done: dict[str, set[str]] = {member: set() for member in members}
    if not done:
        return {}
    most = math.ceil(len(work) / len(done) * _SLACK)
    for unit in sorted(_units(work, len(done)), key=lambda unit: (-len(unit), _rank(unit[0], ""))):
        ranked = sorted(done, key=lambda member: _rank(unit[0], member), reverse=True)
        chosen = next((member for member in ranked if len(done[member]) + len(unit) <= most), None)
        done[chosen or min(ranked, key=lambda member: len(done[member]))].update(unit)
    return {member: frozenset(shards) for member, shards in done.items()}


def _units(work: Mapping[str, str], members: int) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for shard in sorted(work):
        groups.setdefault(work[shard], []).append(shard)
    largest = len(work) / members / 2 if members > 1 else len(work)
    units: list[list[str]] = []
    for shards in groups.values():
        units += [shards] if len(shards) <= largest else [[shard] for shard in shards]
    return units


def _rank(shard: str, member: str) -> bytes:
    return hashlib.blake2b(f"{shard}/{member}".encode(), digest_size=8).digest()
