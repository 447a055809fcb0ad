"""The carriers of the gateway. Each is one folder, with both directions in it.

Adding one takes a folder and a line in CARRIERS. If it needs more, correct the protocol or the declaration first.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from sms_common.carriers.bandwidth import Bandwidth
from sms_common.carriers.protocol import Carrier

# How each carrier is made, by its name.
CarrierTable: TypeAlias = Mapping[str, Callable[..., Carrier]]

CARRIERS: CarrierTable = MappingProxyType({"bandwidth": Bandwidth})
