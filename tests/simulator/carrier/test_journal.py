"""A bounded record of what happened."""

from carrier_simulator.carrier.journal import Journal


async def test_a_journal_keeps_its_limit_and_counts_all():
    journal: Journal[Entry] = Journal(limit=2)
    gone = [journal.append(Entry(number)) for number in (1, 2, 3)]

    assert (len(journal), journal.total, journal.forgotten, gone[2] and gone[2].sequence) == (2, 3, 1, 1)
    assert [entry.sequence for entry in journal] == [2, 3]


class Entry:
    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
