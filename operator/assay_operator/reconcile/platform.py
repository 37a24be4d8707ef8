"""Gather: what the administrator decided, and the tokens that follow from it."""

from collections.abc import Callable
from dataclasses import dataclass

from assay_drift.token import predictor_token
from assay_operator.manifests.platform import Platform


@dataclass(frozen=True)
class PlatformSource:
    """The administrator's choices, and the key of predictors' tokens, which is read anew as it is rotated."""

    platform: Platform
    key: Callable[[], bytes] = bytes

    def predictor_token(self, namespace: str) -> str:
        """Return the token of a namespace's predictors; empty where there is no key."""
        key = self.key()
        return predictor_token(key, namespace) if key else ""
