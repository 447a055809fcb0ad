"""Bandwidth's declaration: credentials, limits, and what to do in its pages.

The patterns are lenient. They only notice when something else was pasted.
"""

import re
from typing import Final

from sms_common.carriers.declaration import (
    BasicCallback,
    CarrierLimits,
    CredentialField,
    CredentialPattern,
    Declaration,
    SetupStep,
)

_UUID = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
# Bandwidth's account id is digits, and its application id a UUID. A simulator may use names for both.
_WORD = "[A-Za-z0-9_-]{1,128}"
# Bandwidth waits 73 hours for a receipt, and repeats a webhook for 24.
_RECEIPT_HOURS = 73 + 24

# The aliases of token and secret come from Bandwidth's old API users, and from forms made for them.
_CREDENTIALS: Final = (
    CredentialField(
        "account_id",
        "Account ID",
        secret=False,
        known_as="Bandwidth User ID",
        pattern=CredentialPattern(
            re.compile(f"(?!{_UUID}$){_WORD}"),
            "must be the Account ID alone, such as 9900123: no address, and not the Application ID",
        ),
    ),
    CredentialField(
        "application_id",
        "Application ID",
        secret=False,
        pattern=CredentialPattern(
            re.compile(_WORD),
            "must be the Application ID alone, such as 93de2206-9669-4e07-948d-329f4b722ee2",
        ),
    ),
    CredentialField("api_token", "API token", secret=True, aliases=("username",)),
    CredentialField("api_secret", "API secret", secret=True, aliases=("password",)),
)

DECLARATION: Final = Declaration(
    brand="Bandwidth",
    credentials=_CREDENTIALS,
    account="account_id",
    # 3.5 MB for one file. A limit for all files together (525 KB) exists for toll-free senders only, so it is not here.
    limits=CarrierLimits(
        text=2048,
        media=10,
        media_url=4096,
        group_recipients=10,
        media_bytes=3_500_000,
        receipt_hours=_RECEIPT_HOURS,
    ),
    callback=BasicCallback(challenged=True),
    setup=(
        SetupStep("User ID", "In your account settings, note the User ID: it is the Account ID here."),
        SetupStep(
            "API credentials",
            "Create OAuth2 client credentials. The client ID is the API token, the client secret the API secret. "
            "User names and passwords end on 2 December 2026.",
        ),
        SetupStep(
            "Application",
            "Create a messaging application and link it to the location of your numbers. Note its Application ID.",
        ),
        SetupStep("Webhook", "Paste {webhook} as both callback URLs, for inbound and for status."),
        SetupStep("Callback credentials", "Enter {callback_user} and the password from Advanced, if you set them."),
        SetupStep("Status events", "Switch on at least message-delivered and message-failed."),
    ),
    setup_note="An application that is linked to no location accepts texts and loses them, without any error.",
    campaign_name="10DLC campaign ID",
    brand_name="10DLC brand ID",
)
