"""The only module that knows AMQP: connect with back-off, publish with confirms under one deadline, consume by one
table.
"""

from sms_common.broker.connection import Timeouts
from sms_common.broker.headers import dead_letter
from sms_common.broker.messages import (
    Broker,
    Delivery,
    Handler,
    Listener,
    Outgoing,
    Publisher,
    RetryLater,
    Subscription,
    Unroutable,
)
from sms_common.broker.rabbit import RabbitBroker

__all__ = [
    "Broker",
    "Delivery",
    "Handler",
    "Listener",
    "Outgoing",
    "Publisher",
    "RabbitBroker",
    "RetryLater",
    "Subscription",
    "Timeouts",
    "Unroutable",
    "dead_letter",
]
