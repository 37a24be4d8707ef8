"""Pipelines and estimators, fitted to rows and cross-validated."""
