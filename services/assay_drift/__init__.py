"""Drift, from counts: profiles of reference rows, and counts of what was served. No I/O, no clock."""
