"""`smsgw config`: exports and imports tenants, trunks, SMS configurations and rules as one file without secrets."""

from smsgw.bulk.commands import app

__all__ = ["app"]
