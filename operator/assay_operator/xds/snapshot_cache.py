"""What the gateways should have: changed by Models, read by streams, corrected by refusals."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from assay_api import Ref
from assay_operator.xds.resource_bundle import ResourceBundle
from assay_operator.xds.snapshot import Snapshot
from assay_operator.xds.versioned_resources import VersionedResources

TRY_AGAIN = "try again"


class Rejection(NamedTuple):
    """A version of a Model that a gateway refused, and why."""

    version: str
    reason: str


class SnapshotCache:
    """The wanted bundles. A cluster stays until no gateway has a route to it any more."""

    def __init__(self) -> None:
        """Want nothing yet."""
        self.rejected: dict[Ref, Rejection] = {}
        self.unacked: set[Ref] = set()
        self._wanted: dict[Ref, ResourceBundle] = {}
        self._last_good: dict[Ref, ResourceBundle] = {}
        self._published: dict[Ref, str] = {}
        self._retired: dict[str, int] = {}  # by the generation that has no route to them
        self._leaving: set[str] = set()
        self._clusters, self._endpoints, self._scopes, self._routes = (VersionedResources() for _ in range(4))
        self._generation = 0
        self._snapshot = self._copy()

    def publish(self, ref: Ref, bundle: ResourceBundle | None) -> bool:
        """Want a bundle for a Model, or none; return whether that is news."""
        version = bundle.version if bundle else ""
        if self._published.get(ref, "") == version:
            return False
        self.rejected.pop(ref, None)
        self._published[ref] = version
        if not version:
            del self._published[ref]
        self._put(ref, bundle)
        return True

    def wanted(self, ref: Ref) -> str | None:
        """Return the version that the gateways should have of a Model."""
        bundle = self._wanted.get(ref)
        return bundle.version if bundle else None

    def snapshot(self) -> Snapshot:
        """Return what is wanted now; the same object as long as it is the same."""
        if self._snapshot.generation != self._generation:
            self._snapshot = self._copy()
        return self._snapshot

    def acknowledge(self, ref: Ref) -> None:
        """Note that every gateway has what is wanted of a Model."""
        self.unacked.discard(ref)
        if bundle := self._wanted.get(ref):
            self._last_good[ref] = bundle
        else:
            self._last_good.pop(ref, None)

    def reject(
        self, snapshot: Snapshot, reason: str, plain: Callable[[Ref], ResourceBundle | None]
    ) -> list[Ref]:
        """Go back to something better for the Models that a refusal is about; return who they are.

        Envoy refuses a whole response, and its reason ends with the name of the culprit as a rule; else
        everybody who changed since the last acknowledgement is a suspect. Several suspects are taken back to
        what was good, and no further: one of them is to blame, and the others must not lose their traffic.

        Args:
            snapshot: What was refused.
            reason: The end of what Envoy said.
            plain: A simpler bundle for a Model of which none was good so far.
        """
        suspects = [
            ref for ref in self.unacked if self.wanted(ref) and self.wanted(ref) == snapshot.versions.get(ref)
        ]
        named = [ref for ref in suspects if _names(ref, reason)] or suspects
        if len(named) > 1:
            guilty = [ref for ref in named if ref in self._last_good]
            for ref in guilty:
                self._revert(ref, self._last_good[ref], f"refused together with others: {reason}")
                self._published[ref] = TRY_AGAIN  # when it is published again, alone perhaps
            return guilty
        for ref in named:
            again = ref in self.rejected
            self._revert(ref, None if again else self._last_good.get(ref) or plain(ref), reason)
        return named

    def _revert(self, ref: Ref, bundle: ResourceBundle | None, reason: str) -> None:
        self.rejected[ref] = Rejection(self._published.get(ref, ""), reason)
        refused = self._wanted[ref]
        self._put(ref, bundle)
        # No route uses them, and what was refused must not stand in the way of everybody else.
        for name in refused.clusters:
            if self._retired.pop(name, None):
                self._remove(name)

    def _remove(self, name: str) -> None:
        self._clusters.drop(name)
        self._endpoints.drop(name)
        self._generation += 1

    def retired(self, generation: int) -> list[str]:
        """Return, once, the clusters which no route of this generation or a later one uses."""
        names = [name for name, since in self._retired.items() if since <= generation]
        for name in names:
            del self._retired[name]
        self._leaving |= set(names)
        return names

    def drop(self, names: Iterable[str]) -> None:
        """Remove what `retired` returned, except those that came back since."""
        for name in names:
            if name in self._leaving:
                self._leaving.discard(name)
                self._remove(name)

    def _put(self, ref: Ref, bundle: ResourceBundle | None) -> None:
        self._generation += 1
        self.unacked.add(ref)
        if old := self._wanted.pop(ref, None):
            self._retired |= dict.fromkeys(old.clusters, self._generation)
            for name in old.routes:
                self._scopes.drop(name)
                self._routes.drop(name)
        if bundle is not None:
            self._wanted[ref] = bundle
            self._add(bundle)

    def _add(self, bundle: ResourceBundle) -> None:
        for name in bundle.clusters:
            self._retired.pop(name, None)
            self._leaving.discard(name)
        self._clusters.update(bundle.clusters)
        self._endpoints.update(bundle.endpoints)
        self._scopes.update(bundle.scopes)
        self._routes.update(bundle.routes)

    def _copy(self) -> Snapshot:
        return Snapshot(
            self._generation,
            self._clusters.copy(),
            self._endpoints.copy(),
            self._scopes.copy(),
            self._routes.copy(),
            {ref: bundle.version for ref, bundle in self._wanted.items()},
        )


def _names(ref: Ref, reason: str) -> bool:
    return f"{ref.namespace}/{ref.name}/" in reason or f"{ref.name}.{ref.namespace}" in reason
