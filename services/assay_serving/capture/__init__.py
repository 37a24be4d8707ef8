"""Counting rows and predictions for drift, and reporting the counts to the collector."""
