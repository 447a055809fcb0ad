"""`smsgw doctor`: checks every part of a gateway and says what is wrong and what to do."""

from smsgw.doctor.command import doctor

__all__ = ["doctor"]
