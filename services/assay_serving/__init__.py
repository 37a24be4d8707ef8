"""The predictor: one model version behind HTTP, batched, verified, drained."""
