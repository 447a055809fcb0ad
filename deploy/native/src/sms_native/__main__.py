"""`python -m sms_native env|up|smoke|down|status`, which is what make calls."""

import sys

from sms_native.commands import main

if __name__ == "__main__":
    sys.exit(main())
