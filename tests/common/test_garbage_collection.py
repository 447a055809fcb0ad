import gc

import pytest

from sms_common.garbage_collection import no_collection


@pytest.fixture(autouse=True)
def _collecting():
    gc.enable()
    yield
    gc.enable()


def test_nothing_is_collected_meanwhile_and_all_is_as_before_afterwards():
    with no_collection():
        assert not gc.isenabled()
        with no_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_failure_inside_lets_the_collector_go_on():
    with pytest.raises(LookupError), no_collection():
        raise LookupError
    assert gc.isenabled()


def test_one_who_switched_it_off_finds_it_off():
    gc.disable()
    with no_collection():
        pass
    assert not gc.isenabled()


def test_of_two_that_overlap_the_first_one_switches_it_on_again():
    first, second = no_collection(), no_collection()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert gc.isenabled()
