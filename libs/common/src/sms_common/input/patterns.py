"""The regular expressions of ids."""

from typing import Final

ID_PATTERN: Final = r"^[A-Za-z0-9_-]{1,64}$"
MESSAGE_ID_PATTERN: Final = r"^[A-Za-z0-9_.:-]{1,64}$"
ANY_MESSAGE_ID_PATTERN: Final = r"^[A-Za-z0-9_.:-]{1,69}$"
