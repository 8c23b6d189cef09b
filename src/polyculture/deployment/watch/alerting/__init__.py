"""Who is told of an alarm? Rules for Prometheus, and webhooks."""
