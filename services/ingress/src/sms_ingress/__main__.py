"""Starts ingress: `python -m sms_ingress`."""

import sys

from sms_common.service.process import load_settings
from sms_common.telemetry import configure
from sms_ingress.main import run_service
from sms_ingress.settings import IngressSettings


def main() -> int:
    """Run the service and return the exit status of the process."""
    settings = load_settings(IngressSettings)
    configure("ingress", log_format=settings.log_format, level=settings.log_level)
    return run_service(settings)


if __name__ == "__main__":
    sys.exit(main())
