"""The engine behind the broker: the only place that knows AMQP."""
