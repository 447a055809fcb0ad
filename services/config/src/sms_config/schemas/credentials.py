"""Credentials as a body names them, read by what their carrier declares."""

from collections.abc import Iterator, Mapping

from pydantic import SecretStr

from sms_common.carriers.declaration import Declaration
from sms_config.model.problems import FieldProblem, Invalid
from sms_config.schemas.bodies import Credentials

GivenCredentials = Mapping[str, SecretStr | None]
# More would hide what is wrong rather than tell it.
_MOST = 50


def read_credentials(given: Credentials | None, declared: Declaration) -> GivenCredentials:
    """Return what was given under the carrier's first names; None is a credential to be removed.

    Raises Invalid with a sentence for every name that the carrier does not have, for two names of one credential that
    differ, and for every value that has not its form; never with a value.
    """
    values = {} if given is None else given.given()
    problems = [*_unknown(values, declared), *_differing(values, declared), *_misformed(values, declared)]
    if problems:
        raise Invalid(problems[:_MOST])
    return {declared.aliases.get(name, name): value for name, value in values.items()}


def _unknown(values: GivenCredentials, declared: Declaration) -> Iterator[FieldProblem]:
    for name in values:
        if declared.field(name) is None:
            said = f"is not a field of {declared.brand}'s credentials, which are {', '.join(declared.names)}"
            yield _problem(name, said)


def _differing(values: GivenCredentials, declared: Declaration) -> Iterator[FieldProblem]:
    for alias, name in declared.aliases.items():
        if alias in values and name in values and values[alias] != values[name]:
            yield _problem(alias, f"is another name for {name}, and the two differ")


def _misformed(values: GivenCredentials, declared: Declaration) -> Iterator[FieldProblem]:
    known = {name: value for name, value in values.items() if value is not None and declared.field(name) is not None}
    for name, said in declared.faults(known).items():
        yield _problem(name, said)


def _problem(name: str, said: str) -> FieldProblem:
    return FieldProblem(field=f"credentials.{name[:64]}", message=said)
