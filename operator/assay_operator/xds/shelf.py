"""What the gateways should have: changed by Models, read by streams, corrected by refusals."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from assay_api import Ref
from assay_operator.xds.parcel import Parcel
from assay_operator.xds.section import Section
from assay_operator.xds.snapshot import Snapshot

TRY_AGAIN = "try again"


class Held(NamedTuple):
    """A version of a Model that a gateway refused, and why."""

    version: str
    reason: str


class Shelf:
    """The wanted parcels. A cluster stays until no gateway has a route to it any more."""

    def __init__(self) -> None:
        """Want nothing yet."""
        self.held: dict[Ref, Held] = {}
        self.unproven: set[Ref] = set()
        self._wanted: dict[Ref, Parcel] = {}
        self._good: dict[Ref, Parcel] = {}
        self._published: dict[Ref, str] = {}
        self._retired: dict[str, int] = {}  # by the generation that has no route to them
        self._leaving: set[str] = set()
        self._clusters, self._endpoints, self._scopes, self._routes = (Section() for _ in range(4))
        self._generation = 0
        self._snapshot = self._copy()

    def publish(self, ref: Ref, parcel: Parcel | None) -> bool:
        """Want a parcel for a Model, or none; return whether that is news."""
        version = parcel.version if parcel else ""
        if self._published.get(ref, "") == version:
            return False
        self.held.pop(ref, None)
        self._published[ref] = version
        if not version:
            del self._published[ref]
        self._put(ref, parcel)
        return True

    def wanted(self, ref: Ref) -> str | None:
        """Return the version that the gateways should have of a Model."""
        parcel = self._wanted.get(ref)
        return parcel.version if parcel else None

    def snapshot(self) -> Snapshot:
        """Return what is wanted now; the same object as long as it is the same."""
        if self._snapshot.generation != self._generation:
            self._snapshot = self._copy()
        return self._snapshot

    def prove(self, ref: Ref) -> None:
        """Note that every gateway has what is wanted of a Model."""
        self.unproven.discard(ref)
        if parcel := self._wanted.get(ref):
            self._good[ref] = parcel
        else:
            self._good.pop(ref, None)

    def reject(self, snapshot: Snapshot, reason: str, plain: Callable[[Ref], Parcel | None]) -> list[Ref]:
        """Go back to something better for the Models that a refusal is about; return who they are.

        Envoy refuses a whole response, and its reason ends with the name of the culprit as a rule; else
        everybody who changed since the last acknowledgement is a suspect. Several suspects are taken back to
        what was good, and no further: one of them is to blame, and the others must not lose their traffic.

        Args:
            snapshot: What was refused.
            reason: The end of what Envoy said.
            plain: A simpler parcel for a Model of which none was good so far.
        """
        suspects = [
            ref
            for ref in self.unproven
            if self.wanted(ref) and self.wanted(ref) == snapshot.versions.get(ref)
        ]
        named = [ref for ref in suspects if _names(ref, reason)] or suspects
        if len(named) > 1:
            guilty = [ref for ref in named if ref in self._good]
            for ref in guilty:
                self._revert(ref, self._good[ref], f"refused together with others: {reason}")
                self._published[ref] = TRY_AGAIN  # when it is published again, alone perhaps
            return guilty
        for ref in named:
            again = ref in self.held
            self._revert(ref, None if again else self._good.get(ref) or plain(ref), reason)
        return named

    def _revert(self, ref: Ref, parcel: Parcel | None, reason: str) -> None:
        self.held[ref] = Held(self._published.get(ref, ""), reason)
        refused = self._wanted[ref]
        self._put(ref, parcel)
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

    def _put(self, ref: Ref, parcel: Parcel | None) -> None:
        self._generation += 1
        self.unproven.add(ref)
        if old := self._wanted.pop(ref, None):
            self._retired |= dict.fromkeys(old.clusters, self._generation)
            for name in old.routes:
                self._scopes.drop(name)
                self._routes.drop(name)
        if parcel is not None:
            self._wanted[ref] = parcel
            self._add(parcel)

    def _add(self, parcel: Parcel) -> None:
        for name in parcel.clusters:
            self._retired.pop(name, None)
            self._leaving.discard(name)
        self._clusters.update(parcel.clusters)
        self._endpoints.update(parcel.endpoints)
        self._scopes.update(parcel.scopes)
        self._routes.update(parcel.routes)

    def _copy(self) -> Snapshot:
        return Snapshot(
            self._generation,
            self._clusters.copy(),
            self._endpoints.copy(),
            self._scopes.copy(),
            self._routes.copy(),
            {ref: parcel.version for ref, parcel in self._wanted.items()},
        )


def _names(ref: Ref, reason: str) -> bool:
    return f"{ref.namespace}/{ref.name}/" in reason or f"{ref.name}.{ref.namespace}" in reason
