"""Credentials that cannot be what their carrier calls so are refused beside their fields, before anything uses them."""

from sms_common.carriers.credentials import misformed_credentials

from sms_common.carriers.protocol import Carrier
from sms_config.model.problems import FieldProblem, Invalid
from sms_config.schemas.bodies import Credentials


def check_credentials(given: Credentials | None, carrier: Carrier) -> None:
    """Raise Invalid with a sentence for every credential that has not the carrier's form; never with a value."""
    if given is None:
        return
    values = {name: value for name, value in given.given().items() if value is not None}
    wrong = misformed_credentials(carrier, values)
    if wrong:
        errors = (
            FieldProblem(field=f"credentials.{given.written(name)}", message=said) for name, said in wrong.items()
        )
        raise Invalid(errors)
