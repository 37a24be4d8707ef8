"""What the gateways should have: changed by Models, read by streams, corrected by refusals."""

from collections.abc import Iterable
from typing import NamedTuple

from assay_api import Ref
from assay_operator.xds.parcel import Host, Parcel
from assay_operator.xds.section import Section
from assay_operator.xds.snapshot import Snapshot


class Held(NamedTuple):
    """A version of a Model that a gateway refused, and why."""

    version: str
    reason: str


class Shelf:
    """The wanted parcels. A cluster stays until no gateway has a route to it any more."""

    def __init__(self) -> None:
        self.held: dict[Ref, Held] = {}
        self.unproven: set[Ref] = set()
        self._wanted: dict[Ref, Parcel] = {}
        self._good: dict[Ref, Parcel] = {}
        self._published: dict[Ref, str] = {}
        self._retired: dict[str, int] = {}  # by the generation that has no route to them
        self._leaving: set[str] = set()
        self._clusters: Section[str, bytes] = Section()
        self._endpoints: Section[str, bytes] = Section()
        self._hosts: Section[Ref, Host] = Section()
        self._snapshot = Snapshot(0, Section(), Section(), Section(), {})
        self._generation = 0

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
            versions = {ref: parcel.version for ref, parcel in self._wanted.items()}
            self._snapshot = Snapshot(
                self._generation, self._clusters.copy(), self._endpoints.copy(), self._hosts.copy(), versions
            )
        return self._snapshot

    def prove(self, ref: Ref) -> None:
        """Note that every gateway has what is wanted of a Model."""
        self.unproven.discard(ref)
        if parcel := self._wanted.get(ref):
            self._good[ref] = parcel
        else:
            self._good.pop(ref, None)

    def reject(self, snapshot: Snapshot, reason: str) -> list[Ref]:
        """Go back to the last good parcel of the Models that a refusal is about; return who they are.

        Envoy refuses a whole response. Its reason ends with the name of the culprit as a rule; else everybody
        who changed since the last acknowledgement is a suspect.
        """
        changed = [ref for ref in self.unproven if self.wanted(ref) == snapshot.versions.get(ref)]
        suspects = [ref for ref in changed if ref in self._wanted]
        guilty = [ref for ref in suspects if _names(ref, reason)] or suspects
        for ref in guilty:
            self.held[ref] = Held(self._published[ref], reason)
            self._put(ref, self._good.get(ref))
        return guilty

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
                self._clusters.drop(name)
                self._endpoints.drop(name)
                self._generation += 1

    def _put(self, ref: Ref, parcel: Parcel | None) -> None:
        self._generation += 1
        self.unproven.add(ref)
        if old := self._wanted.pop(ref, None):
            self._retired |= dict.fromkeys(old.clusters, self._generation)
        if parcel is None:
            self._hosts.drop(ref)
            return
        self._wanted[ref] = parcel
        self._hosts.put(ref, parcel.host)
        for name, packed in parcel.clusters.items():
            self._retired.pop(name, None)
            self._leaving.discard(name)
            self._clusters.put(name, packed)
        for name, packed in parcel.endpoints.items():
            self._endpoints.put(name, packed)


def _names(ref: Ref, reason: str) -> bool:
    return f"{ref.namespace}/{ref.name}/" in reason or f"{ref.name}.{ref.namespace}" in reason
