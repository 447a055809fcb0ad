"""Knows what waits in a lane's queue, as far as the queue's one reader can know. Pure."""

# A queue in which more than this waits is not empty soon: the broker is asked then.
_MOST_KNOWN = 10_000


class Backlog:
    """Unknown until the broker was asked. Then the messages are known that this process has put into the queue; what
    other dispatchers have put there does not count.
    """

    def __init__(self) -> None:
        self._waiting: set[str] | None = None
        self.puts = 0
        """How many messages were put into the queue. An answer of the broker that was asked for before the last of them
        is out of date.
        """

    @property
    def is_empty(self) -> bool:
        """Whether it is certain that nothing this process has put into the queue is still to be delivered."""
        return self._waiting is not None and not self._waiting

    def put(self, id_: str) -> None:
        """Note a message that is put into the queue. `id_` is its id at the broker."""
        self.puts += 1
        if self._waiting is not None:
            self._waiting.add(id_)
            if len(self._waiting) > _MOST_KNOWN:
                self.forget()

    def forget(self) -> None:
        """Forget what waits: it is not known whether a put has reached the queue."""
        self._waiting = None

    def delivered(self, id_: str | None) -> None:
        """Note a message that was delivered from the queue, whoever has put it there."""
        if self._waiting and id_ is not None:
            self._waiting.discard(id_)

    def was_empty(self, puts: int) -> None:
        """The broker answered that the queue was empty. It was asked when `puts` had this value."""
        if puts == self.puts:
            self._waiting = set()
