"""The database's time, whatever happens to the host's clock."""

from datetime import UTC, datetime, timedelta

from sms_dispatcher.ledger.database_clock import DatabaseClock

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Host:
    """A host's two clocks; reading the database takes four seconds."""

    def __init__(self) -> None:
        self.wall = NOON
        self.seconds = 100.0

    async def database(self) -> datetime:
        self.seconds += 4.0
        return NOON + timedelta(minutes=1)


def clock_of(host: Host) -> DatabaseClock:
    return DatabaseClock(lambda: host.wall, lambda: host.seconds)


def test_before_the_first_reading_it_is_the_hosts_time():
    assert clock_of(Host())() == NOON


async def test_it_is_what_the_database_told_and_what_has_passed_since():
    host = Host()
    clock = clock_of(host)
    await clock.synchronise(host.database)
    host.seconds += 10

    assert clock() == NOON + timedelta(minutes=1, seconds=12)


async def test_somebody_who_sets_the_hosts_clock_moves_no_deadline():
    host = Host()
    clock = clock_of(host)
    await clock.synchronise(host.database)
    host.wall += timedelta(hours=25)

    assert clock() - NOON < timedelta(minutes=2)
