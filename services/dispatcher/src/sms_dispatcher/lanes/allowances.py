"""How fast each lane may send, and which limits it shares with other lanes. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sms_common.carriers.protocol import Carrier
from sms_common.configuration import DispatcherSnapshot, PaceLimits, SmsConfig

_SYSTEM = "*"


@dataclass(frozen=True, slots=True)
class Allowance:
    """How fast one lane may send. `shared` are the budgets that it shares, by name, in segments a second, the slowest
    first. `brand` is its daily budget, if it has one: its name and the segments of a day.
    """

    limits: PaceLimits = field(default_factory=PaceLimits)
    shared: tuple[tuple[str, float], ...] = ()
    brand: tuple[str, int] | None = None

    @property
    def unlimited(self) -> bool:
        """Whether only the carrier limits the lane."""
        limits = self.limits
        own = limits.segments_per_second is not None or limits.number_segments_per_minute is not None
        return not (own or self.shared or self.brand)


def allowances(snapshot: DispatcherSnapshot, carriers: Mapping[str, Carrier]) -> Mapping[str, Allowance]:
    """The allowance of every configuration. When several give a limit for the same budget, the lowest is used."""
    accounts = {config.id: _account(config, carriers) for config in snapshot.configs}
    scopes = _scopes(snapshot.configs, accounts)
    shared = {config.id: _shared(config, accounts[config.id], scopes[config.id]) for config in snapshot.configs}
    rates: dict[str, float] = {}
    caps: dict[str, int] = {}
    for config in snapshot.configs:
        for name, rate in shared[config.id]:
            if rate is not None:
                rates[name] = min(rate, rates.get(name, rate))
        name, cap = _brand(config, scopes[config.id]), config.limits.brand_segments_per_day
        if config.limits.brand_id is not None and cap is not None:
            caps[name] = min(cap, caps.get(name, cap))

    def allowance(config: SmsConfig) -> Allowance:
        limited = sorted(((name, rates[name]) for name, _ in shared[config.id] if name in rates), key=lambda s: s[1])
        brand = _brand(config, scopes[config.id])
        return Allowance(config.limits, tuple(limited), (brand, caps[brand]) if brand in caps else None)

    return {config.id: allowance(config) for config in snapshot.configs}


@dataclass(frozen=True, slots=True, repr=False)
class _Account:
    """The account that a configuration names at its carrier. `proof` are the secrets that prove that it is its own."""

    carrier: str
    id: str | None
    proof: tuple[str, ...] | None


def _account(config: SmsConfig, carriers: Mapping[str, Carrier]) -> _Account:
    carrier = carriers.get(config.carrier)
    if carrier is None:
        return _Account(config.carrier, None, None)
    given = {name: secret.get_secret_value() for name, secret in config.credentials.items()}
    proof = tuple(given.get(name, "") for name in carrier.declaration.secrets)
    return _Account(config.carrier, given.get(carrier.declaration.account), proof if proof and all(proof) else None)


def _scopes(configs: Iterable[SmsConfig], accounts: Mapping[str, _Account]) -> dict[str, str]:
    """Whose lanes share a budget with each configuration: those of the same owner, and those of other owners that have
    the same secrets for the same account. The name of an account proves nothing: anybody can type it.
    """
    owners = {config.id: (accounts[config.id].carrier, accounts[config.id].id, _owner(config)) for config in configs}
    scope = {owner: owner[2] for owner in owners.values()}
    together: defaultdict[_Account, set[tuple[str, str | None, str]]] = defaultdict(set)
    for id_, owner in owners.items():
        if accounts[id_].id is not None and accounts[id_].proof is not None:
            together[accounts[id_]].add(owner)
    changed = True
    while changed:
        changed = False
        for joined in together.values():
            lowest = min(scope[owner] for owner in joined)
            for owner in joined:
                changed = changed or scope[owner] != lowest
                scope[owner] = lowest
    return {id_: scope[owner] for id_, owner in owners.items()}


def _owner(config: SmsConfig) -> str:
    return config.trunk_owner or _SYSTEM


def _shared(config: SmsConfig, account: _Account, scope: str) -> list[tuple[str, float | None]]:
    """The budgets that a configuration shares, and its own limit for each, in segments a second."""
    limits = config.limits
    found: list[tuple[str, float | None]] = []
    if account.id is not None:
        found.append((f"account:{config.carrier}:{scope}:{account.id}", limits.account_segments_per_second))
    if limits.campaign_id is not None:
        minute = limits.campaign_segments_per_minute
        name = f"campaign:{config.carrier}:{scope}:{limits.campaign_id}"
        found.append((name, None if minute is None else minute / 60))
    return found


def _brand(config: SmsConfig, scope: str) -> str:
    return f"brand:{config.carrier}:{scope}:{config.limits.brand_id}"
