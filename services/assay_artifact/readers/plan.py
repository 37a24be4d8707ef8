"""A plan: the pipeline as plain arrays; numpy is all it needs."""

from assay_artifact.plan.predictor import read

__all__ = ["read"]
