"""The broker as services use it: publish with confirms within a deadline, consume with retries and dead letters.

Only this module knows which engine is behind it.
"""

from sms_common.broker.amqp.connection import Timeouts
from sms_common.broker.amqp.rabbit import RabbitBroker
from sms_common.broker.headers import dead_letter
from sms_common.broker.messages import (
    Broker,
    Delivery,
    GiveBack,
    Handler,
    Held,
    Listener,
    Outgoing,
    Publisher,
    QueueCounts,
    Restored,
    RetryLater,
    Subscription,
    Survey,
    Unroutable,
)
from sms_common.broker.parked import FROM_WEBHOOKS, NoWayBack, Parked

__all__ = [
    "FROM_WEBHOOKS",
    "Broker",
    "Delivery",
    "GiveBack",
    "Handler",
    "Held",
    "Listener",
    "NoWayBack",
    "Outgoing",
    "Parked",
    "Publisher",
    "QueueCounts",
    "RabbitBroker",
    "Restored",
    "RetryLater",
    "Subscription",
    "Survey",
    "Timeouts",
    "Unroutable",
    "dead_letter",
]
