"""RabbitMQ and MongoDB as processes of this user."""
