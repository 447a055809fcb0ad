"""Finds the parts of an inbound MMS that are for people, and their types, by the endings of their URLs."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sms_common.messages import InboundMedia

# Layout instructions for the phone (SMIL), which AT&T and Verizon send as one more part. They are not for people.
_LAYOUT_ENDINGS = frozenset({"smil", "smi", "xml"})
_LAYOUT_TYPE = "application/smil"

# The endings that phones and networks use. This table is our own, because the tables of machines differ.
_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "3g2": "video/3gpp2",
        "3gp": "video/3gpp",
        "aac": "audio/aac",
        "amr": "audio/amr",
        "avi": "video/x-msvideo",
        "bmp": "image/bmp",
        "csv": "text/csv",
        "gif": "image/gif",
        "heic": "image/heic",
        "heif": "image/heif",
        "html": "text/html",
        "ics": "text/calendar",
        "jpe": "image/jpeg",
        "jpeg": "image/jpeg",
        "jpg": "image/jpeg",
        "json": "application/json",
        "m4a": "audio/mp4",
        "m4v": "video/mp4",
        "mov": "video/quicktime",
        "mp3": "audio/mpeg",
        "mp4": "video/mp4",
        "mpeg": "video/mpeg",
        "mpg": "video/mpeg",
        "oga": "audio/ogg",
        "ogg": "audio/ogg",
        "opus": "audio/opus",
        "pdf": "application/pdf",
        "png": "image/png",
        "svg": "image/svg+xml",
        "tif": "image/tiff",
        "tiff": "image/tiff",
        "txt": "text/plain",
        "vcard": "text/vcard",
        "vcf": "text/vcard",
        "wav": "audio/wav",
        "webm": "video/webm",
        "webp": "image/webp",
        "zip": "application/zip",
    }
)


def media_for_people(files: Iterable[InboundMedia]) -> tuple[InboundMedia, ...]:
    """Return the parts that people should see, in their order. A part without a type gets the type of its ending, or
    None.
    """
    return tuple(
        InboundMedia(file.url, file.content_type or _TYPES.get(ending))
        for file, ending in ((file, _ending(file.url)) for file in files)
        if ending not in _LAYOUT_ENDINGS and file.content_type != _LAYOUT_TYPE
    )


def _ending(url: str) -> str:
    name = url.partition("?")[0].partition("#")[0].rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""
