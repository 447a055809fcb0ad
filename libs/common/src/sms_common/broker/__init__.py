"""The only module that knows AMQP: connect with back-off, publish with confirms under one deadline, consume by one table."""

from sms_common.broker.messages import Broker, Delivery, Handler, Outgoing, Publisher, RetryLater, Subscription

__all__ = ["Broker", "Delivery", "Handler", "Outgoing", "Publisher", "RetryLater", "Subscription"]
