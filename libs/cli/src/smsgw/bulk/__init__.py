"""`smsgw config`: tenants, trunks and SMS configurations as one file without secrets, out of a gateway and into one."""

from smsgw.bulk.commands import app

__all__ = ["app"]
