"""The generated pages say what the code says."""

import importlib.util
import re
from pathlib import Path

import pytest

from sms_common.errors import Code
from sms_config.settings import Settings as ConfigSettings
from sms_dispatcher.settings import Settings as DispatcherSettings
from sms_ingress.settings import Settings as IngressSettings

DOCS = Path(__file__).parent.parent / "docs"


def generated() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pages: dict[str, str] = module.pages()
    return pages


@pytest.mark.parametrize("page", ["events.md", "asyncapi.json", "configuration.md", "cli.md"])
def test_a_generated_page_is_fresh(page):
    assert (DOCS / page).read_text() == generated()[page], "run `make docs`"


@pytest.mark.parametrize("settings", [IngressSettings, DispatcherSettings, ConfigSettings])
def test_only_what_a_service_does_not_start_without_must_be_set(settings):
    prefix = settings.model_config["env_prefix"]
    rows = [line for line in generated()["configuration.md"].splitlines() if line.startswith(f"| `{prefix}")]
    said = {row.split("`")[1] for row in rows if "| must be set |" in row}
    assert said == {prefix + name.upper() for name, field in settings.model_fields.items() if field.is_required()}


def test_every_module_that_the_architecture_names_is_there():
    named = re.findall(r"`((?:\w+/)*\w+\.py)`", (DOCS / "architecture.md").read_text())
    there = [path for folder in ("libs", "services", "deploy") for path in (DOCS.parent / folder).rglob("*.py")]
    assert len(named) > 10
    assert [name for name in named if not any(f"/{path.as_posix()}".endswith(f"/{name}") for path in there)] == []


def test_every_error_code_is_explained_to_operators():
    text = (DOCS / "operations.md").read_text()

    assert [code.value for code in Code if f"`{code.value}`" not in text] == []
