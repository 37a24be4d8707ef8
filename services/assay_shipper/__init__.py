"""The gateway's sidecar: ships Envoy's exposure log to the collector and checks every assignment.

A round of `loop`: `tail` reads whole lines behind the checkpoint, `exposure` judges them, `delivery` posts
them, and only then the checkpoint moves: at least once. `rotation` keeps the log within its bounds meanwhile.
"""
