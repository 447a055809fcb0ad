"""The private MongoDB: its data, its password, its port."""

from typing import Any

import pymongo
import pytest

from sms_native.engines.mongodb import MongoNode, drop_database
from sms_native.machine.ports import free_port
from sms_native.machine.processes import NativeError

pytestmark = pytest.mark.integration


@pytest.fixture
def cache(native_settings):
    return native_settings.cache_directory


@pytest.fixture
def node(tmp_path, cache, native_settings):
    node = MongoNode(tmp_path / "mongodb", cache=cache, user="test", password="right")
    node.start(may_install=native_settings.may_install)
    yield node
    node.remove()


def _write(url: str) -> None:
    with (
        pymongo.MongoClient[dict[str, Any]](url) as client,
        client.start_session() as session,
        session.start_transaction(),
    ):
        client["db"]["things"].insert_one({"_id": 1}, session=session)


def _read(url: str) -> list[dict[str, int]]:
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        return list(client["db"]["things"].find())


def test_a_second_start_finds_the_node_and_its_data(node):
    _write(node.url)
    url = node.url
    node.start()
    assert (node.url, _read(url)) == (url, [{"_id": 1}])
    node.stop()
    assert not node.running
    node.start()
    assert (node.url, _read(url)) == (url, [{"_id": 1}])


def test_a_transaction_survives_a_kill(node):
    _write(node.url)
    node.kill()
    assert not node.running
    node.start()
    assert _read(node.url) == [{"_id": 1}]


def test_the_port_may_change_between_two_starts(node, tmp_path, cache):
    _write(node.url)
    node.stop()
    moved = MongoNode(tmp_path / "mongodb", cache=cache, user="test", password="right", port=free_port())
    moved.start()
    assert _read(moved.url) == [{"_id": 1}]


def test_nobody_gets_in_without_the_password(node, tmp_path, cache):
    with (
        pymongo.MongoClient[dict[str, Any]](node.url.replace("test:right@", "")) as stranger,
        pytest.raises(pymongo.errors.OperationFailure),
    ):
        stranger.list_database_names()
    forgetful = MongoNode(tmp_path / "mongodb", cache=cache, user="test", password="wrong")
    with pytest.raises(NativeError, match="another password"):
        forgetful.start()


def test_two_nodes_live_side_by_side(node, tmp_path, cache):
    other = MongoNode.temporary(tmp_path / "other", cache)
    other.start()
    try:
        _write(node.url)
        assert (_read(node.url), _read(other.url)) == ([{"_id": 1}], [])
    finally:
        other.remove()


def test_a_dropped_database_is_gone(database):
    url, name = database
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        client[name]["things"].insert_one({})
        assert name in client.list_database_names()
        drop_database(url, name)
        assert name not in client.list_database_names()
