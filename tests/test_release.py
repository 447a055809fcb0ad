"""One version, in one place: what is released, tagged and told says the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from sms_common.telemetry import metrics
from sms_common.version import VERSION
from sms_native.gateway.compose import IMAGES

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(
    [
        *ROOT.glob("libs/*/pyproject.toml"),
        *ROOT.glob("services/*/pyproject.toml"),
        ROOT / "deploy/native/pyproject.toml",
    ]
)
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.parent.name)
def test_every_package_takes_the_version_from_the_one_place_and_has_the_licence(path):
    document = tomllib.loads(path.read_text())

    source = (path.parent / document["tool"]["hatch"]["version"]["path"]).resolve()
    assert source == ROOT / "libs/common/src/sms_common/version.py"
    assert document["project"]["dynamic"] == ["version"]
    assert document["project"]["license"] == "Apache-2.0"


def test_the_licence_is_there_in_its_own_words():
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_the_changelog_has_a_section_for_the_version_and_for_each_before_it():
    versions = re.findall(r"^## (\d+\.\d+\.\d+) - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert versions[0] == VERSION
    assert versions == sorted(versions, key=lambda one: tuple(map(int, one.split("."))), reverse=True)


def test_compose_tags_its_images_with_the_version():
    own = {
        service["image"]
        for service in COMPOSE["services"].values()
        if "build" in service or "sms-gateway" in service["image"]
    }

    assert own != set()
    assert {image.rpartition(":${SMS_VERSION:-")[2] for image in own} == {VERSION + "}"}
    assert COMPOSE["x-build"]["args"]["VERSION"] == f"${{SMS_VERSION:-{VERSION}}}"


def test_foreign_images_are_named_to_the_minor_version_everywhere_alike():
    named = re.findall(r"\$\{(?:RABBITMQ|MONGO)_IMAGE:-([^}]+)\}", (ROOT / "docker-compose.yml").read_text())
    wanted = {"python:3.13-slim", *named}

    assert len(named) == 2
    assert all(re.search(r":\d+\.\d+", image) for image in wanted)
    assert set(IMAGES) == wanted
    for script in ("compose-test.sh", "standin-images.sh"):
        text = (ROOT / "deploy" / script).read_text()
        assert [image for image in wanted if image not in text] == []


def test_a_running_process_tells_its_version():
    assert 'smsgw_build_info{python="3.' in metrics.render().decode()
    assert f'version="{VERSION}"}} 1.0' in metrics.render().decode()
