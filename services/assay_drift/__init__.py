"""Drift: profiles, tests and windows. Alerts reach the operator by webhook; nothing is computed here yet."""
