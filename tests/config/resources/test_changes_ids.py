"""What a record is called."""

import re

from sms_config.resources.changes import new_id


def test_ids_sort_as_they_were_made_and_fit_into_the_name_of_a_queue():
    ids = [new_id() for _ in range(1000)]

    assert ids == sorted(set(ids))
    assert all(re.fullmatch(r"[0-9a-f]{24}", one) for one in ids)
