"""What the AMQP libraries keep to themselves was read in one version; another one has to be read too."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from sms_common.broker.amqp import aiormq_internals

ENGINE = Path(aiormq_internals.__file__).parent
PRIVATE = re.compile(r"_Channel__|\.write_queue|\.confirmations|message_id_delivery_tag|\.METHODS|SLF001|f_locals")


@pytest.mark.parametrize(("library", "read_against"), aiormq_internals.VERSIONS.items())
def test_the_installed_version_is_the_one_that_was_read(library, read_against):
    installed = ".".join(version(library).split(".")[:2])

    assert installed == read_against, "read broker/amqp/aiormq_internals.py against the new version"


def test_no_other_file_uses_what_the_libraries_keep_to_themselves():
    users = {path.name for path in ENGINE.glob("*.py") if PRIVATE.search(path.read_text(encoding="utf-8"))}

    assert users == {Path(aiormq_internals.__file__).name}
