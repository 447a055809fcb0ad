"""Whether a credential has the form that its carrier declares. Pure."""

from collections.abc import Mapping

from pydantic import SecretStr

from sms_common.carriers.protocol import Carrier
from sms_common.input.pasted import one_line, printable_ascii


def misformed_credentials(carrier: Carrier, credentials: Mapping[str, SecretStr]) -> dict[str, str]:
    """Say of each credential that cannot be one why not, beside its name. No sentence holds a value."""
    found = ((name, _fault(carrier, name, value.get_secret_value())) for name, value in credentials.items())
    return {name: fault for name, fault in found if fault is not None}


def _fault(carrier: Carrier, name: str, text: str) -> str | None:
    pattern = carrier.credential_patterns.get(name)
    try:
        if pattern is None or pattern.ascii_only:
            printable_ascii(text)
        else:
            one_line(text)
    except ValueError as unclean:
        return str(unclean)
    return None if pattern is None or pattern.regex.fullmatch(text) else pattern.sentence
