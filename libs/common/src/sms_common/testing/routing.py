"""Routing in memory: exchanges, bindings and topic patterns, as AMQP 0-9-1 and RabbitMQ define them."""

from sms_common.topology import DEFAULT_EXCHANGE, Binding, Exchange, Forwarding, Topology


def matches(pattern: str, key: str) -> bool:
    """Whether a topic binding's pattern takes a routing key: `*` is one word, `#` any number of words."""
    return _words_match(pattern.split("."), key.split(".") if key else [])


def _words_match(pattern: list[str], words: list[str]) -> bool:
    if not pattern:
        return not words
    first, rest = pattern[0], pattern[1:]
    if first == "#":
        return any(_words_match(rest, words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and first in {"*", words[0]} and _words_match(rest, words[1:])


class FakeRouting:
    """The declared exchanges, queue names and bindings."""

    def __init__(self) -> None:
        self._exchanges: dict[str, Exchange] = {}
        self._queues: dict[str, None] = {}
        self._bindings: dict[Binding, None] = {}
        self._forwardings: dict[Forwarding, None] = {}

    def add(self, topology: Topology) -> None:
        """Declare `topology`. What exists already stays."""
        self._exchanges |= {exchange.name: exchange for exchange in topology.exchanges}
        self._queues |= dict.fromkeys(queue.name for queue in topology.queues)
        self._bindings |= dict.fromkeys(topology.bindings)
        self._forwardings |= dict.fromkeys(topology.forwardings)
        for binding in topology.retired:
            self._bindings.pop(binding, None)

    def forget_queue(self, name: str) -> None:
        """Delete a queue, and with it its bindings."""
        self._queues.pop(name)
        self._bindings = {binding: None for binding in self._bindings if binding.queue != name}

    def has_exchange(self, name: str) -> bool:
        """Whether there is an exchange of that name."""
        return name in self._exchanges

    def route(self, exchange: str, key: str, *, heard: bool = False) -> list[str]:
        """The queues that get a message, each once. `heard`: a listener gets it too, so the alternate exchange does
        not.

        Raises KeyError for an exchange that does not exist.
        """
        if exchange == DEFAULT_EXCHANGE:
            return [key] if key in self._queues else []
        found = self._exchanges[exchange]
        queues = {
            binding.queue: None
            for binding in self._bindings
            if binding.exchange == exchange and _takes(found, binding.key, key)
        }
        for forwarding in self._forwardings:
            if forwarding.source == exchange and _takes(found, forwarding.key, key):
                queues |= dict.fromkeys(self.route(forwarding.destination, key))
        if not queues and not heard and found.alternate:
            return self.route(found.alternate, key)
        return list(queues)


def _takes(exchange: Exchange, pattern: str, key: str) -> bool:
    if exchange.kind == "fanout":
        return True
    return pattern == key if exchange.kind == "direct" else matches(pattern, key)
