"""The rules of a multi-channel request (RBM, SMS and MMS tried in order); pure, like `messages`."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from carrier_simulator.bandwidth.requests.messages import (
    check_application,
    check_expiration,
    check_priority,
    check_recipient,
    check_tag,
    check_text,
    check_url,
)
from carrier_simulator.bandwidth.requests.refusals import BadField, invalid_request
from carrier_simulator.carrier.accounts import SimulatedAccount
from carrier_simulator.carrier.records import ChannelName, MessageChannel, Priority
from sms_common.segments import count_segments

__all__ = ["MultiChannelRequest", "parse_multichannel"]

MAX_CHANNELS = 4
MAX_FILE_URL = 1000
MAX_RBM_TEXT = 3270
MAX_SUGGESTIONS = 11
MAX_CARD_SUGGESTIONS = 4
MAX_LABEL = 25
MAX_POSTBACK = 2048
CAROUSEL = range(2, 11)

_CARD_TEXTS = {"title": 200, "description": 2000}
_ACTIONS = ("REPLY", "DIAL_PHONE", "SHOW_LOCATION", "CREATE_CALENDAR_EVENT", "OPEN_URL", "REQUEST_LOCATION")
_NEEDS = {
    "DIAL_PHONE": ("phoneNumber",),
    "SHOW_LOCATION": ("latitude", "longitude"),
    "CREATE_CALENDAR_EVENT": ("title", "startTime", "endTime"),
    "OPEN_URL": ("url",),
}

Errors = list[BadField]


@dataclass(frozen=True, slots=True)
class MultiChannelRequest:
    """A multi-channel request that obeys every rule; `items` are the channels as they were written."""

    to: str
    channels: tuple[MessageChannel, ...]
    items: list[dict[str, Any]]
    tag: str | None
    priority: Priority
    expiration: str | None
    expires_at: float | None


def parse_multichannel(body: Any, account: SimulatedAccount, now: float) -> MultiChannelRequest:
    """Return the checked request; raises Refusal (400, in the plain shape) naming every broken field."""
    if not isinstance(body, dict):
        raise invalid_request()
    errors: Errors = []
    to = check_recipient(body.get("to"), errors)
    channels = _check_channels(body.get("channelList"), account, errors)
    tag = check_tag(body.get("tag"), errors)
    priority = check_priority(body.get("priority"), errors)
    expires_at = check_expiration(body.get("expiration"), now, errors)
    if errors:
        raise invalid_request(errors)
    return MultiChannelRequest(to, channels, body["channelList"], tag, priority, body.get("expiration"), expires_at)


def _check_channels(value: Any, account: SimulatedAccount, errors: Errors) -> tuple[MessageChannel, ...]:
    if not isinstance(value, list) or not value or len(value) > MAX_CHANNELS:
        errors.append(BadField("channelList", f"'channelList' must have 1 to {MAX_CHANNELS} items"))
        return ()
    found = [_check_channel(item, f"channelList[{index}]", account, errors) for index, item in enumerate(value)]
    return tuple(channel for channel in found if channel is not None)


def _check_channel(item: Any, where: str, account: SimulatedAccount, errors: Errors) -> MessageChannel | None:
    if not isinstance(item, dict) or item.get("channel") not in _CONTENT:
        errors.append(BadField(f"{where}.channel", "must be replaced with one of [RBM, SMS, MMS]"))
        return None
    name: ChannelName = item["channel"]
    sender = item.get("from")
    if not isinstance(sender, str) or not sender:
        field = f"{where}.from"
        errors.append(BadField(field, f"The '{field}' field must contain exactly one telephone number"))
    application = check_application(item.get("applicationId"), account, errors, f"{where}.applicationId")
    content = item.get("content")
    if not isinstance(content, dict):
        errors.append(BadField(f"{where}.content", f"'{where}.content' must be given"))
        return None
    text, media = _CONTENT[name](content, f"{where}.content", errors)
    if errors or application is None or not isinstance(sender, str):
        return None
    segments = count_segments(text or "").segments if name == "SMS" else 1
    return MessageChannel(name, application, sender, text, media, segments)


def _sms_content(content: dict[str, Any], where: str, errors: Errors) -> tuple[str | None, tuple[str, ...]]:
    text = check_text(content.get("text"), errors, f"{where}.text")
    if not text:
        errors.append(BadField(f"{where}.text", f"'{where}.text' must be given"))
    return text, ()


def _mms_content(content: dict[str, Any], where: str, errors: Errors) -> tuple[str | None, tuple[str, ...]]:
    text = check_text(content.get("text"), errors, f"{where}.text")
    media = tuple(
        _check_file(file, f"{where}.media[{index}]", errors)
        for index, file in enumerate(_as_list(content.get("media"), f"{where}.media", errors))
    )
    if not text and not media:
        errors.append(BadField(where, f"'{where}' must have 'text' or 'media'"))
    return text, media


def _rbm_content(content: dict[str, Any], where: str, errors: Errors) -> tuple[str | None, tuple[str, ...]]:
    text = check_text(content.get("text"), errors, f"{where}.text", MAX_RBM_TEXT)
    files = _as_list(content.get("media"), f"{where}.media", errors)
    media = tuple(_check_file(file, f"{where}.media[{index}]", errors) for index, file in enumerate(files))
    cards = _cards(content, where, errors)
    if not text and not media and not cards:
        errors.append(BadField(where, f"'{where}' must have text, media or a card"))
    for index, card in enumerate(cards):
        _check_card(card, f"{where}.cardContents[{index}]", errors)
    _check_suggestions(content.get("suggestions"), MAX_SUGGESTIONS, f"{where}.suggestions", errors)
    return text, media


_Check = Callable[[dict[str, Any], str, Errors], tuple[str | None, tuple[str, ...]]]
_CONTENT: dict[Any, _Check] = {"RBM": _rbm_content, "SMS": _sms_content, "MMS": _mms_content}


def _as_list(value: Any, where: str, errors: Errors) -> list[Any]:
    if value is None or isinstance(value, list):
        return value or []
    errors.append(BadField(where, f"'{where}' must be a list"))
    return []


def _check_file(file: Any, where: str, errors: Errors) -> str:
    url = file.get("fileUrl") if isinstance(file, dict) else None
    return check_url(url, errors, f"{where}.fileUrl", MAX_FILE_URL)


def _cards(content: dict[str, Any], where: str, errors: Errors) -> list[Any]:
    if "cardContent" in content:
        return [content["cardContent"]]
    cards = _as_list(content.get("cardContents"), f"{where}.cardContents", errors)
    if "cardContents" in content and len(cards) not in CAROUSEL:
        errors.append(BadField(f"{where}.cardContents", "a carousel must have 2 to 10 cards"))
    return cards


def _check_card(card: Any, where: str, errors: Errors) -> None:
    if not isinstance(card, dict) or not any(card.get(name) for name in ("title", "description", "media")):
        errors.append(BadField(where, f"'{where}' must have a title, a description or media"))
        return
    for name, limit in _CARD_TEXTS.items():
        check_text(card.get(name), errors, f"{where}.{name}", limit)
    if card.get("media") is not None:
        _check_file(card["media"], f"{where}.media", errors)
    _check_suggestions(card.get("suggestions"), MAX_CARD_SUGGESTIONS, f"{where}.suggestions", errors)


def _check_suggestions(value: Any, limit: int, where: str, errors: Errors) -> None:
    suggestions = _as_list(value, where, errors)
    if len(suggestions) > limit:
        errors.append(BadField(where, f"'{where}' must have {limit} items or less"))
    for index, suggestion in enumerate(suggestions):
        _check_suggestion(suggestion, f"{where}[{index}]", errors)


def _check_suggestion(suggestion: Any, where: str, errors: Errors) -> None:
    if not isinstance(suggestion, dict) or suggestion.get("type") not in _ACTIONS:
        errors.append(BadField(f"{where}.type", f"'{where}.type' must be one of {list(_ACTIONS)}"))
        return
    if not check_text(suggestion.get("text"), errors, f"{where}.text", MAX_LABEL):
        errors.append(BadField(f"{where}.text", f"'{where}.text' must be given"))
    if not _is_postback(suggestion.get("postbackData")):
        errors.append(
            BadField(f"{where}.postbackData", f"'{where}.postbackData' must be Base64, {MAX_POSTBACK} at most")
        )
    errors.extend(
        BadField(f"{where}.{name}", f"'{where}.{name}' must be given")
        for name in _NEEDS.get(suggestion["type"], ())
        if not suggestion.get(name)
    )


def _is_postback(value: Any) -> bool:
    if not isinstance(value, str) or not value or len(value) > MAX_POSTBACK:
        return False
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
