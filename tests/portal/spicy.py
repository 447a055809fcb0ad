"""The config service with an odd carrier beside the real ones, as a process."""

import sys

from sms_common.carriers import CARRIERS
from sms_common.service.process import load_settings
from sms_common.telemetry import configure
from sms_common.testing.carriers import SpicyCarrier
from sms_config.main import run_service
from sms_config.settings import ConfigSettings

if __name__ == "__main__":
    settings = load_settings(ConfigSettings)
    configure("config", log_format=settings.log_format, level=settings.log_level)
    sys.exit(run_service(settings, {**CARRIERS, "spicy": SpicyCarrier}))
