"""RabbitMQ, MongoDB and the services on one machine, without containers."""
