"""Gather: alerts that arrived by the webhook and are in no status yet."""

from collections.abc import Iterable, Mapping

from assay_api import Ref
from assay_api.model import Alert


class AlertInbox:
    """Keeps alerts until a pass has written them; one of them by fingerprint."""

    def __init__(self) -> None:
        """Have received nothing."""
        self._received: dict[Ref, dict[str, Alert | None]] = {}

    def add(self, ref: Ref, fingerprint: str, alert: Alert | None) -> None:
        """Receive an alert that fires, or None for one that is resolved."""
        self._received.setdefault(ref, {})[fingerprint] = alert

    def of(self, ref: Ref) -> Mapping[str, Alert | None]:
        """Return what arrived for a Model and is not written yet."""
        return dict(self._received.get(ref, {}))

    def written(self, ref: Ref, known: Iterable[str]) -> None:
        """Forget what a pass has written."""
        waiting = self._received.get(ref, {})
        for fingerprint in known:
            waiting.pop(fingerprint, None)
        if not waiting:
            self._received.pop(ref, None)

    def forget(self, ref: Ref) -> None:
        """Keep nothing of a Model that is gone."""
        self._received.pop(ref, None)
