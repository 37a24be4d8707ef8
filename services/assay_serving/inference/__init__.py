"""Model calls: micro-batches, checks of what comes back, explanations."""
