import subprocess
from pathlib import Path

import pytest

from tests.compose.stack import REPOSITORY, Stack, made_up_environment

pytestmark = [pytest.mark.compose]

SECRETS = [
    "RABBITMQ_PASSWORD",
    "MONGO_PASSWORD",
    "MONGO_CONFIG_PASSWORD",
    "MONGO_DISPATCHER_PASSWORD",
    "MONGO_REPLICA_KEY",
    "CONFIG_PUBLIC_URL",
    "CONFIG_INGRESS_TOKEN",
    "CONFIG_DISPATCHER_TOKEN",
    "CONFIG_KEY_RING",
    "DISPATCHER_API_TOKEN",
]


@pytest.fixture
def complete(tmp_path: Path):
    return Stack("sms-test-unstarted", made_up_environment(), tmp_path)


@pytest.mark.parametrize("name", SECRETS)
def test_a_missing_setting_is_named_in_a_sentence(complete, name):
    complete.write({n: value for n, value in complete.environment.items() if n != name})
    with pytest.raises(subprocess.CalledProcessError) as caught:
        complete.compose("config")
    assert f"is missing - set {name} in .env" in caught.value.stderr


def test_an_empty_setting_counts_as_missing(complete):
    name = SECRETS[0]
    complete.write(complete.environment | {name: ""})
    with pytest.raises(subprocess.CalledProcessError) as caught:
        complete.compose("config")
    assert f"is missing - set {name} in .env" in caught.value.stderr


def test_a_complete_environment_is_accepted_and_its_json_arrives_as_it_is(complete):
    printed = " ".join(complete.compose("config").split())
    assert complete.environment["DISPATCHER_CARRIER_OPTIONS"] in printed


def test_the_file_with_the_secrets_is_ignored_by_git_and_kept_out_of_the_images():
    subprocess.run(["git", "check-ignore", "--quiet", ".env"], cwd=REPOSITORY, check=True)
    context = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert "*" in context
    assert not [line for line in context if line.startswith("!") and "env" in line]
