"""Whether MongoDB's driver can use an address."""

import warnings

import pymongo
from pymongo.errors import PyMongoError

from sms_common.input.addresses import blamed_option
from sms_common.mongo.driver_messages import told_of_options


def check_address(url: str) -> None:
    """Raise ValueError, with a sentence and nothing of the address, unless the driver can use it. Asks nobody: neither
    a server nor, for mongodb+srv, the DNS.
    """
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            pymongo.MongoClient(url, connect=False).close()
        except (PyMongoError, ValueError, TypeError, OSError) as error:
            raise ValueError(f"MongoDB's driver cannot use it: {blamed_option(url, str(error))}") from None
    # It tells a wrong value of an option in this way, and would go on without the option: without TLS, for one.
    if wrong := told_of_options(one.message for one in heard):
        raise ValueError(f"MongoDB's driver would pass an option over: {blamed_option(url, wrong[0])}")
