"""The file .env: made once, completed, read, and checked."""

import stat
from pathlib import Path

import pytest

from sms_native.gateway.environment import SECRETS, load, parse
from sms_native.machine.processes import NativeError

pytestmark = pytest.mark.loopback

ROOT = Path(__file__).parents[3]


@pytest.fixture
def root(tmp_path):
    (tmp_path / ".env.example").write_text((ROOT / ".env.example").read_text())
    return tmp_path


def test_every_secret_has_its_empty_line_in_the_example():
    example = parse((ROOT / ".env.example").read_text())
    assert {name: example.get(name) for name in SECRETS} == dict.fromkeys(SECRETS, "")


def test_env_is_made_once_private_and_with_different_secrets(root):
    first = load(root, {})
    assert load(root, {}) == first
    assert stat.S_IMODE((root / ".env").stat().st_mode) == 0o600
    made = [first[name] for name in SECRETS]
    assert all(len(secret) >= 32 for secret in made)
    assert len(set(made)) == len(made)


def test_the_environment_beats_env(root):
    load(root, {})
    assert load(root, {"CONFIG_PORT": "18081", "SHELL": "sh"})["CONFIG_PORT"] == "18081"


def test_a_secret_that_an_older_env_lacks_is_added_and_the_rest_stays(root):
    load(root, {})
    kept = [line for line in (root / ".env").read_text().splitlines() if not line.startswith("MONGO_REPLICA_KEY")]
    (root / ".env").write_text("\n".join(kept))
    assert len(load(root, {})["MONGO_REPLICA_KEY"]) == 64
    assert (root / ".env").read_text().splitlines()[: len(kept)] == kept


ONCE = ["CONFIG_BOOTSTRAP_API_KEY", "CONFIG_FIRST_ADMIN_PASSWORD"]


@pytest.mark.parametrize("name", ONCE)
def test_what_is_needed_once_and_was_emptied_stays_empty(root, name):
    load(root, {})
    text = (root / ".env").read_text()
    emptied = [f"{name}=" if line.startswith(f"{name}=") else line for line in text.splitlines()]
    (root / ".env").write_text("\n".join(emptied))
    assert load(root, {})[name] == ""


@pytest.mark.parametrize("name", ONCE)
def test_what_is_needed_once_and_was_deleted_is_not_added_again(root, name):
    load(root, {})
    kept = [line for line in (root / ".env").read_text().splitlines() if not line.startswith(f"{name}=")]
    (root / ".env").write_text("\n".join(kept))
    assert name not in load(root, {})
    assert (root / ".env").read_text().splitlines() == kept


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("AMQP_PORT=many", "AMQP_PORT"),
        ("MONGO_PASSWORD=p@ss", "MONGO_PASSWORD"),
        ("MONGO_PASSWORD=", "MONGO_PASSWORD"),
        ("CONFIG_FIRST_ADMIN_PASSWORD=p@ss", "CONFIG_FIRST_ADMIN_PASSWORD"),
        ("export A=b", "line 1"),
    ],
    ids=[
        "port",
        "password that does not fit a URL",
        "empty password that is always needed",
        "first administrator's password",
        "not an assignment",
    ],
)
def test_what_cannot_be_meant_is_named(root, line, named):
    (root / ".env").write_text(line + "\n")
    with pytest.raises(NativeError, match=named):
        load(root, {})
