"""Ports on loopback: which are free, and which to take."""

import socket

import pytest

from sms_native.machine.ports import LOOPBACK, choose, free_port, is_free
from sms_native.machine.processes import NativeError

pytestmark = pytest.mark.loopback


@pytest.fixture
def taken():
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_a_port_somebody_listens_on_is_not_free(taken):
    assert not is_free(taken)
    assert is_free(free_port())


def test_a_wanted_port_that_is_taken_is_refused_and_named(taken):
    with pytest.raises(NativeError, match=str(taken)):
        choose(taken, None)


def test_without_a_wish_the_port_of_the_last_time_is_kept_while_it_is_free(taken):
    last = free_port()
    assert choose(0, last) == last
    assert choose(0, taken) != taken
