"""Counts what waits in a lane's queue, as far as its one reader can know. Pure."""


class Backlog:
    """Unknown at first; known from a look at the queue on, for as long as every put is counted."""

    def __init__(self) -> None:
        self._waiting: int | None = None
        self.puts = 0
        """How many messages were put into the queue: a look that began before the last of them says nothing."""

    @property
    def is_empty(self) -> bool:
        """Whether surely nothing is in the queue that has not come back."""
        return self._waiting == 0

    def put(self) -> None:
        """One more goes into the queue."""
        self.puts += 1
        if self._waiting is not None:
            self._waiting += 1

    def forget(self) -> None:
        """Whether a put has reached the queue is not known."""
        self._waiting = None

    def came_back(self) -> None:
        """The first delivery of one that was in the queue."""
        if self._waiting:
            self._waiting -= 1

    def was_empty(self, puts: int) -> None:
        """The broker says that nothing waited in the queue, asked when there had been so many `puts`."""
        if puts == self.puts:
            self._waiting = 0
