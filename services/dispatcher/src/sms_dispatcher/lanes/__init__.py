"""When a message of one SMS configuration may leave: order, pace and circuit breaker."""
