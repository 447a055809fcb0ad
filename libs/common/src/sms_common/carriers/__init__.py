"""The carriers the gateway speaks to, each in one folder with both directions in it.

Adding one is a folder and a line in CARRIERS; if it needs more, this protocol is wrong and is mended first.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from sms_common.carriers.bandwidth import Bandwidth
from sms_common.carriers.protocol import Carrier

# How each carrier is made, by its name.
CarrierTable: TypeAlias = Mapping[str, Callable[..., Carrier]]

CARRIERS: CarrierTable = MappingProxyType({"bandwidth": Bandwidth})
