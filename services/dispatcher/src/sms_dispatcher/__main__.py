"""Starts the dispatcher: `python -m sms_dispatcher`."""

import sys

from sms_common.service.process import load_settings
from sms_common.telemetry import configure
from sms_dispatcher.main import run_service
from sms_dispatcher.settings import DispatcherSettings


def main() -> int:
    """Run the service and return the exit status of the process."""
    settings = load_settings(DispatcherSettings)
    configure("dispatcher", log_format=settings.log_format, level=settings.log_level)
    return run_service(settings)


if __name__ == "__main__":
    sys.exit(main())
