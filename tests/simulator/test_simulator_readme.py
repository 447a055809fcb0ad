"""The README names everything that can be set, scripted or switched on."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from carrier_simulator import Application, Fault, InboundRequest, MessageOutcome, SimulatedAccount, SimulatorSettings
from carrier_simulator.bandwidth.suffixes import BY_SUFFIX
from carrier_simulator.control import routes

README = (Path(__file__).parents[2] / "libs" / "carrier_simulator" / "README.md").read_text()


def names(model: type[BaseModel], *, upper: bool = False) -> list[str]:
    fields = [field.alias or name for name, field in model.model_fields.items()]
    return [name.upper() if upper else name for name in fields]


@pytest.mark.parametrize("model", [SimulatedAccount, Application, MessageOutcome, Fault, InboundRequest])
def test_every_field_is_named(model):
    assert [name for name in names(model) if f"`{name}`" not in README] == []


def test_every_setting_is_named():
    assert [name for name in names(SimulatorSettings, upper=True) if f"`{name}`" not in README] == []


def test_every_special_suffix_is_in_the_table():
    special = [suffix for suffix in BY_SUFFIX if suffix.startswith("90")]

    assert [suffix for suffix in special if f"| {suffix} |" not in README] == []


def test_every_control_path_is_in_the_table():
    paths = {route.path.split("/{")[0] for route in routes.routes()}

    assert [
        path for path in paths if f"{path}`" not in README and f"{path}/" not in README and f"{path}," not in README
    ] == []
