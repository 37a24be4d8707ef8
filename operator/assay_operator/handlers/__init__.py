"""Ways in: Kubernetes' events by kopf, the collector's news, alerts by HTTP. Each ends in the queue."""
