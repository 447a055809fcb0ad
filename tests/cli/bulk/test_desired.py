"""Numbers of a file are read as the API reads them for their tenant."""

import pytest

from tests.cli.bulk.files import ACME, Api, put
from tests.cli.world import Command

pytestmark = pytest.mark.loopback


async def test_numbers_are_read_as_the_tenant_has_them_read(admin: Command, api: Api):
    tenant = {**ACME["tenants"][0], "foreign_without_plus": True}
    trunk = {**ACME["trunks"][0], "dids": "447700900123; 2015550100-2015550149", "default_did": "447700900123"}
    file = {**ACME, "tenants": [tenant], "trunks": [trunk]}

    await put(admin, file)
    again = await put(admin, file, env={})

    assert again.out == "0 changes, 4 unchanged\n"
    (stored,) = (await api("GET", "/trunks"))["items"]
    assert (stored["dids"], stored["default_did"]) == ("+12015550100-+12015550149;+447700900123", "+447700900123")
