"""Counts what waits in a lane's queue, as far as the queue's one reader can know. Pure."""


class Backlog:
    """Unknown until the broker was asked, then known while every put is counted."""

    def __init__(self) -> None:
        self._waiting: int | None = None
        self.puts = 0
        """How many messages were put into the queue. An answer of the broker that was asked for before the last of them
        is out of date.
        """

    @property
    def is_empty(self) -> bool:
        """Whether it is certain that the queue holds nothing that was not delivered yet."""
        return self._waiting == 0

    def put(self) -> None:
        """Count a message that is put into the queue."""
        self.puts += 1
        if self._waiting is not None:
            self._waiting += 1

    def forget(self) -> None:
        """Forget the count: it is not known whether a put has reached the queue."""
        self._waiting = None

    def delivered(self) -> None:
        """Count the first delivery of a message from the queue."""
        if self._waiting:
            self._waiting -= 1

    def was_empty(self, puts: int) -> None:
        """The broker answered that the queue was empty. It was asked when `puts` had this value."""
        if puts == self.puts:
            self._waiting = 0
