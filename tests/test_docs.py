"""The generated pages say what the code says."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from sms_common.carriers.bandwidth.codes import CODES as BANDWIDTH_CODES
from sms_common.errors import Code
from sms_config.model.problems import Problem
from sms_config.operations.replay_refusals import ReplayRefusal
from sms_config.operations.webhook_check import StepCode
from sms_config.resources.account_proofs import NoProofReason
from sms_config.settings import ConfigSettings
from sms_dispatcher.settings import DispatcherSettings
from sms_ingress.settings import IngressSettings
from tests.test_alerts import anchors

DOCS = Path(__file__).parent.parent / "docs"


def generated() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pages: dict[str, str] = module.pages()
    return pages


PORTAL_CODES = "../services/config/src/sms_config/web/codes.js"


@pytest.mark.parametrize("page", generated())
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


ROOT = DOCS.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "deploy").glob("*.md"), *ROOT.glob("libs/*/README.md")]
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)
    assert broken == []


SECTIONS = {one["title"]: one for one in tomllib.loads((DOCS / "codes.toml").read_text())["sections"]}


def documented(section: str) -> set[str]:
    """The codes in a section of the one table of codes."""
    return set(SECTIONS[section]["codes"])


def sources() -> str:
    """The code of everything but the list of codes itself."""
    folders = (DOCS.parent / "libs" / "common" / "src", DOCS.parent / "services")
    files = [file for folder in folders for file in folder.rglob("*.py") if file.name != "errors.py"]
    return "\n".join(file.read_text() for file in files)


def test_a_row_of_the_table_of_codes_has_a_cell_for_each_column_and_says_what_the_code_means():
    for section in SECTIONS.values():
        place = section["columns"].index("meaning")
        wrong = [
            code
            for code, cells in section["codes"].items()
            if len(cells) != len(section["columns"]) or not cells[place].endswith(".")
        ]
        assert wrong == []


def test_the_portal_shows_meanings_as_plain_text():
    assert [line for line in generated()[PORTAL_CODES].splitlines()[1:] if re.search(r"`|\]\(", line)] == []


def test_every_code_is_explained_to_operators_and_no_other():
    sections = (
        *("Requests", "Configuration", "The carrier's call", "The carrier's receipt"),
        *("Webhooks and broker messages", "Dependencies"),
    )
    explained = set().union(*map(documented, sections))

    assert sorted(explained ^ {code.value for code in Code}) == [], "mend docs/codes.toml, then run `make docs`"


def test_no_code_is_there_that_nothing_gives():
    said = sources()

    assert [code.name for code in Code if re.search(rf"\bCode\.{code.name}\b", said) is None] == []


def test_every_code_that_a_receipt_can_give_is_explained_as_one():
    by_carrier = {meaning.code.value for meaning in BANDWIDTH_CODES.values()}
    ours = {Code.GROUP_PARTLY_FAILED, Code.NO_RECEIPT, Code.UNCLASSIFIED}

    assert documented("The carrier's receipt") == by_carrier | {code.value for code in ours}


def problems(kind: type[Problem] = Problem) -> set[str]:
    """The codes of the API's answers, from the classes that make them."""
    return {kind.code}.union(*(problems(one) for one in kind.__subclasses__()))


def test_every_code_of_an_answer_is_explained_to_operators_and_no_other():
    of_every_port = {"bad_request", "expectation_failed", "request_header_fields_too_large"}
    of_the_dispatcher = {"unauthorized", "invalid_query"}

    assert documented("Answers of the API") == problems() | of_every_port | of_the_dispatcher


def test_every_reason_why_a_parked_message_stays_is_explained_to_operators_and_no_other():
    of_webhooks = {Code.WEBHOOK_UNREADABLE, Code.WEBHOOK_NOT_HANDLED}
    of_dependencies = {Code.BROKER_UNAVAILABLE, Code.STORE_UNAVAILABLE}

    assert documented("Why a parked message stays") == {*ReplayRefusal} | of_webhooks | of_dependencies


def test_every_code_of_a_test_is_explained_to_operators_and_no_other():
    assert documented("Test webhook") == {*StepCode}
    assert documented("Why the lender's account is not proved") == {*NoProofReason}
