"""Missing system packages: what is said where they may not be installed."""

import pytest

from sms_native.machine import debian
from sms_native.machine.processes import NativeError


def test_where_installing_is_forbidden_the_command_and_the_other_way_are_named():
    with pytest.raises(NativeError) as error:
        debian.install("some-package", "Or use another.", allowed=False)
    assert "SMS_INSTALL=0" in str(error.value)
    assert "apt-get install -y some-package" in str(error.value)
    assert str(error.value).endswith("Or use another.")
