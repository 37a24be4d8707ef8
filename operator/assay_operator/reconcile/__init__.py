"""Observe, decide, apply: one file per kind, and one pass for a Model with all that belongs to it."""
