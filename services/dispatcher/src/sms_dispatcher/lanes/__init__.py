"""When a message of one SMS configuration may be sent: order, pace and circuit breaker."""
