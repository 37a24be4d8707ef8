"""Gather: who owns which slots of a layer, by the statuses and by what is about to be written there."""

from collections.abc import Iterator

from assay_api import Experiment
from assay_operator.decide.layer import Holding, place
from assay_operator.decide.start import StartBlocker
from assay_operator.kube.store import Layer, Store
from assay_operator.kube.workload import holding, started


class LayerReservations:
    """Reserves slots. A span is kept from the moment it is given, whether or not its write is answered."""

    def __init__(self, store: Store) -> None:
        """Reserve nothing yet."""
        self._store = store
        self._reserved: dict[Layer, dict[str, Holding]] = {}

    def reserve(self, experiment: Experiment) -> Holding | StartBlocker:
        """Return the slots of an Experiment that is about to start; the same when it is called again."""
        if experiment.spec.layer is None:
            return place(experiment, ())
        layer = Layer(experiment.metadata.namespace, experiment.spec.layer.name)
        pending = self._pending(layer)
        if mine := pending.get(experiment.metadata.uid):
            return mine
        found = place(experiment, (*_held(self._store, layer), *pending.values()))
        if isinstance(found, Holding):
            self._reserved.setdefault(layer, {})[found.uid] = found
        return found

    def withdraw(self, experiment: Experiment) -> None:
        """Take back what was reserved for an Experiment that does not start after all."""
        if layer := experiment.spec.layer:
            known = self._reserved.get(Layer(experiment.metadata.namespace, layer.name), {})
            known.pop(experiment.metadata.uid, None)

    def _pending(self, layer: Layer) -> dict[str, Holding]:
        """Return what is reserved and stands in no status yet; forget the rest."""
        waiting = {b["metadata"]["uid"] for b in self._store.layer(layer) if not started(b)}
        kept = {uid: one for uid, one in self._reserved.pop(layer, {}).items() if uid in waiting}
        if kept:
            self._reserved[layer] = kept
        return kept


def _held(store: Store, layer: Layer) -> Iterator[Holding]:
    return filter(None, map(holding, store.layer(layer)))
