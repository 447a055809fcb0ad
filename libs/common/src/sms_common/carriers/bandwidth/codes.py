"""Bandwidth's delivery error codes and their meanings, and the rule for codes that are not listed.

Decide by the number only: some of Bandwidth's names are misspelt, and its descriptions are for people.
Codes: https://dev.bandwidth.com/docs/messaging/errors; 4476 and 5229 from the guide of Bandwidth's command line client,
4794 from https://www.bandwidth.com/support/en/articles/13566494.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from sms_common.errors import Code
from sms_common.messages import DeliveryError, ErrorClass

_PERMANENT, _TEMPORARY = ErrorClass.PERMANENT, ErrorClass.TEMPORARY
_POLICY, _UNKNOWN = ErrorClass.POLICY, ErrorClass.UNKNOWN


class Meaning(NamedTuple):
    """What one code means for the sender."""

    error_class: ErrorClass
    code: Code
    advice: str


_CHECK_RECIPIENT = "Check the recipient's number; it cannot be texted as it is."
_CHECK_SENDER = (
    "Check in the Bandwidth dashboard that the sender's number is active, enabled for messaging and on this account."
)
_CHECK_MEDIA_SIZE = "Send smaller media; about 500 KB in all is safe with every network."
_CHECK_MEDIA_TYPE = "Send the media as another type; JPEG, PNG and GIF are understood nearly everywhere."
_ENABLE_ACCOUNT = "Ask Bandwidth to enable this kind of messaging for the account."
_FIX_CONFIG = "Correct the SMS configuration: Bandwidth does not know this account or application."
_REGISTER_10DLC = "Register the sender's number with an active 10DLC campaign before sending again."
_SHORT_CODE = "Ask Bandwidth about the short code's provisioning with this network."
_SPAM = "The text was taken for unwanted traffic. Review its wording, links and consent; a repeat makes it worse."
_REFUSED = "The recipient's network refused the text without a usable reason; sending the same again will not help."
_RETRY = "A passing fault at Bandwidth; the same text may be sent again a little later."
_RETRY_ONCE = "A passing fault at the recipient's network; send again once at most, as it may be billed each time."
_SLOW_DOWN = "Too much was sent in too short a time. Wait, then send more slowly."
_LATER = "The phone could not be reached. Send again later, once at most: the network may still deliver this one."

CODES: Mapping[int, Meaning] = MappingProxyType(
    {
        # refused by Bandwidth
        4001: Meaning(_PERMANENT, Code.ACCOUNT_NOT_ALLOWED, _ENABLE_ACCOUNT),
        4301: Meaning(
            _PERMANENT, Code.CONTENT_REJECTED, "Remove the characters that the recipient's network cannot show."
        ),
        4302: Meaning(_PERMANENT, Code.SENDER_INVALID, _CHECK_SENDER),
        4303: Meaning(_PERMANENT, Code.RECIPIENT_INVALID, _CHECK_RECIPIENT),
        4350: Meaning(_PERMANENT, Code.RECIPIENT_INVALID, _CHECK_RECIPIENT),
        4360: Meaning(
            _PERMANENT, Code.EXPIRED, "It was not sent before its expiry. Send it again if it still matters."
        ),
        4401: Meaning(_PERMANENT, Code.NOT_ROUTABLE, "Check that sender and recipient are different numbers."),
        4403: Meaning(_PERMANENT, Code.SENDER_INVALID, _CHECK_SENDER),
        4404: Meaning(_PERMANENT, Code.RECIPIENT_INVALID, _CHECK_RECIPIENT),
        4405: Meaning(_PERMANENT, Code.SENDER_INVALID, _CHECK_SENDER),
        4406: Meaning(_PERMANENT, Code.RECIPIENT_INVALID, _CHECK_RECIPIENT),
        4407: Meaning(_PERMANENT, Code.SENDER_INVALID, _CHECK_SENDER),
        4408: Meaning(_PERMANENT, Code.RECIPIENT_INVALID, _CHECK_RECIPIENT),
        4409: Meaning(_PERMANENT, Code.RECIPIENT_INVALID, "The recipient probably cannot take MMS; send text only."),
        4410: Meaning(
            _PERMANENT, Code.MEDIA_REJECTED, "Make the media URL reachable from the public Internet and send again."
        ),
        4411: Meaning(_PERMANENT, Code.MEDIA_REJECTED, _CHECK_MEDIA_SIZE),
        4412: Meaning(_PERMANENT, Code.MEDIA_REJECTED, _CHECK_MEDIA_TYPE),
        4420: Meaning(
            _PERMANENT, Code.NOT_ROUTABLE, "Bandwidth does not know the recipient's network; ask its support."
        ),
        4421: Meaning(_PERMANENT, Code.DESTINATION_NOT_ALLOWED, _ENABLE_ACCOUNT),
        4431: Meaning(_PERMANENT, Code.ACCOUNT_NOT_ALLOWED, _ENABLE_ACCOUNT),
        4432: Meaning(_PERMANENT, Code.DESTINATION_NOT_ALLOWED, "Ask Bandwidth to enable the recipient's country."),
        4433: Meaning(_PERMANENT, Code.ACCOUNT_NOT_ALLOWED, _ENABLE_ACCOUNT),
        4434: Meaning(_PERMANENT, Code.DESTINATION_NOT_ALLOWED, "This toll-free number cannot be texted."),
        4435: Meaning(_PERMANENT, Code.TOO_MANY_RECIPIENTS, "Send the group message to at most 10 people."),
        4451: Meaning(_PERMANENT, Code.ACCOUNT_NOT_ALLOWED, _FIX_CONFIG),
        4452: Meaning(_PERMANENT, Code.ACCOUNT_NOT_ALLOWED, _FIX_CONFIG),
        4470: Meaning(_POLICY, Code.SPAM_BLOCKED, _SPAM),
        4476: Meaning(_POLICY, Code.SENDER_NOT_REGISTERED, _REGISTER_10DLC),
        4481: Meaning(
            _POLICY, Code.SPAM_BLOCKED, "The sender's number is on a block list; ask Bandwidth to review it."
        ),
        4482: Meaning(
            _POLICY, Code.DESTINATION_NOT_ALLOWED, "The recipient's number is on a block list; do not text it."
        ),
        4492: Meaning(_PERMANENT, Code.DESTINATION_NOT_ALLOWED, "Emergency numbers cannot be texted this way."),
        4493: Meaning(_PERMANENT, Code.SENDER_INVALID, _CHECK_SENDER),
        # refused by the recipient's network
        4700: Meaning(
            _PERMANENT, Code.RECIPIENT_INVALID, "The recipient cannot take this kind of message; try text only."
        ),
        4701: Meaning(_PERMANENT, Code.RECIPIENT_UNREACHABLE, "The recipient's line has no text service."),
        4702: Meaning(_TEMPORARY, Code.RECIPIENT_UNREACHABLE, _LATER),
        4711: Meaning(_PERMANENT, Code.MEDIA_REJECTED, _CHECK_MEDIA_SIZE),
        4712: Meaning(_PERMANENT, Code.MEDIA_REJECTED, _CHECK_MEDIA_TYPE),
        4720: Meaning(_PERMANENT, Code.RECIPIENT_INVALID, "The recipient is no mobile line (a landline, for example)."),
        4721: Meaning(_PERMANENT, Code.RECIPIENT_INVALID, "The recipient's number is no longer in use; forget it."),
        4730: Meaning(_PERMANENT, Code.NOT_ROUTABLE, "The recipient's network has no route to this phone."),
        4740: Meaning(_PERMANENT, Code.SENDER_INVALID, _CHECK_SENDER),
        4750: Meaning(_PERMANENT, Code.CONTENT_REJECTED, _REFUSED),
        4751: Meaning(_PERMANENT, Code.CONTENT_REJECTED, "Send a shorter text."),
        4752: Meaning(_PERMANENT, Code.CONTENT_REJECTED, _REFUSED),
        4753: Meaning(_PERMANENT, Code.CONTENT_REJECTED, "The recipient's phone refused the text."),
        4770: Meaning(_POLICY, Code.SPAM_BLOCKED, _SPAM),
        4771: Meaning(
            _POLICY,
            Code.SPAM_BLOCKED,
            "Do not use a public link shortener; write the full link or use your own domain.",
        ),
        4772: Meaning(
            _POLICY, Code.SPAM_BLOCKED, "Sender or recipient is blocked further along; ask Bandwidth to review it."
        ),
        4773: Meaning(_POLICY, Code.SENDER_NOT_REGISTERED, _REGISTER_10DLC),
        4774: Meaning(
            _POLICY, Code.SENDER_NOT_REGISTERED, "The sender's number is not set up in the industry's registry yet."
        ),
        4775: Meaning(_POLICY, Code.OPTED_OUT, "The recipient has opted out. Do not text this person again."),
        4780: Meaning(
            _POLICY, Code.VOLUME_LIMIT, "T-Mobile's daily limit of this brand is used up; send again tomorrow."
        ),
        4781: Meaning(_POLICY, Code.VOLUME_LIMIT, _SLOW_DOWN),
        4785: Meaning(_POLICY, Code.VOLUME_LIMIT, _SLOW_DOWN),
        4790: Meaning(_PERMANENT, Code.DESTINATION_NOT_ALLOWED, "The recipient cannot get texts from this short code."),
        4791: Meaning(_POLICY, Code.SENDER_NOT_REGISTERED, _SHORT_CODE),
        4792: Meaning(_POLICY, Code.SENDER_NOT_REGISTERED, _SHORT_CODE),
        4793: Meaning(_POLICY, Code.SENDER_NOT_REGISTERED, _SHORT_CODE),
        4794: Meaning(_PERMANENT, Code.RECIPIENT_UNREACHABLE, "The network gave up before the phone was reached."),
        4795: Meaning(
            _POLICY, Code.SENDER_NOT_REGISTERED, "Complete the toll-free verification of the sender's number first."
        ),
        # faults at Bandwidth
        5100: Meaning(_TEMPORARY, Code.CARRIER_ERROR, _RETRY),
        5101: Meaning(_TEMPORARY, Code.CARRIER_ERROR, _RETRY),
        5106: Meaning(_TEMPORARY, Code.NOT_ROUTABLE, _RETRY),
        5111: Meaning(_TEMPORARY, Code.CARRIER_ERROR, _RETRY),
        5201: Meaning(_TEMPORARY, Code.CARRIER_ERROR, _RETRY),
        5211: Meaning(_TEMPORARY, Code.CARRIER_BUSY, _RETRY),
        5220: Meaning(_TEMPORARY, Code.CARRIER_ERROR, _RETRY),
        5229: Meaning(
            _POLICY,
            Code.SENDER_NOT_REGISTERED,
            "The sender's number could not be put on its campaign: look at the campaign in the Bandwidth dashboard.",
        ),
        5231: Meaning(_TEMPORARY, Code.CARRIER_ERROR, _RETRY),
        5500: Meaning(_TEMPORARY, Code.CARRIER_ERROR, _RETRY),
        5501: Meaning(_TEMPORARY, Code.NOT_ROUTABLE, _RETRY),
        # faults at the recipient's network
        5600: Meaning(_TEMPORARY, Code.CARRIER_BUSY, _RETRY_ONCE),
        5610: Meaning(_TEMPORARY, Code.CARRIER_ERROR, _RETRY_ONCE),
        5620: Meaning(
            _TEMPORARY,
            Code.CARRIER_ERROR,
            "Send again once at most. If it stays, check the sender's 10DLC registration: T-Mobile answers so, too.",
        ),
        5630: Meaning(_TEMPORARY, Code.CARRIER_ERROR, _RETRY_ONCE),
        5650: Meaning(_TEMPORARY, Code.CARRIER_ERROR, _RETRY_ONCE),
        5999: Meaning(_TEMPORARY, Code.CARRIER_ERROR, _RETRY),
        # the outcome is unknown
        9902: Meaning(
            _UNKNOWN,
            Code.NO_RECEIPT,
            "No receipt came in time; the text has often arrived. Send again only if a duplicate does no harm.",
        ),
        9999: Meaning(_UNKNOWN, Code.UNCLASSIFIED, "Bandwidth does not know the network's reason; ask its support."),
    }
)

# A code's first digit says which side failed, and the second who reported it (6 and 7: the recipient's network). So a
# code that is not listed has a class, too.
_UNLISTED = "This version does not know the code; look it up in Bandwidth's list of delivery error codes."
_FAMILIES: Mapping[int, Meaning] = MappingProxyType(
    {
        56: Meaning(_TEMPORARY, Code.UNCLASSIFIED, _RETRY_ONCE),
        57: Meaning(_TEMPORARY, Code.UNCLASSIFIED, _RETRY_ONCE),
    }
)
_SIDES: Mapping[int, Meaning] = MappingProxyType(
    {
        4: Meaning(_PERMANENT, Code.UNCLASSIFIED, _UNLISTED),
        5: Meaning(_TEMPORARY, Code.UNCLASSIFIED, _RETRY),
    }
)
_NO_SIDE = Meaning(_UNKNOWN, Code.UNCLASSIFIED, _UNLISTED)
_NO_CODE = Meaning(_UNKNOWN, Code.UNCLASSIFIED, "Bandwidth reported the failure without a code; ask its support.")


def delivery_error(error_code: int | None, description: str | None) -> DeliveryError:
    """Explain a failed receipt's `errorCode`; None: it has none. `description` is only passed on."""
    meaning = _NO_CODE if error_code is None else meaning_of(error_code)
    return DeliveryError(
        error_class=meaning.error_class,
        code=meaning.code,
        carrier_code="" if error_code is None else str(error_code),
        carrier_text=description,
        advice=meaning.advice,
    )


def meaning_of(error_code: int) -> Meaning:
    """Return the listed meaning, else `unclassified` with the class of the first two digits, or of the first."""
    return CODES.get(error_code) or _FAMILIES.get(error_code // 100) or _SIDES.get(error_code // 1000, _NO_SIDE)
