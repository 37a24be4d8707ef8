"""Hyperparameter search: the space, the study, its storage, and workers that share its trials."""
