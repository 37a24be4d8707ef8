"""Who owns which part of a layer: what the statuses say, and what is about to be written there."""

from collections.abc import Iterator

from assay_api import Experiment
from assay_operator.decide.layer import Holding, place
from assay_operator.decide.start import Objection
from assay_operator.kube.seen import holding, started
from assay_operator.kube.store import Layer, Store


class Layers:
    """Hands out slots. A span is kept from the moment it is given, whether or not its write is answered."""

    def __init__(self) -> None:
        """Have given nothing."""
        self._given: dict[Layer, dict[str, Holding]] = {}

    def reserve(self, store: Store, experiment: Experiment) -> Holding | Objection:
        """Return the slots of an Experiment that is about to start; the same when it is asked again."""
        if experiment.spec.layer is None:
            return place(experiment, ())
        layer = Layer(experiment.metadata.namespace, experiment.spec.layer.name)
        given = self._pending(store, layer)
        if mine := given.get(experiment.metadata.uid):
            return mine
        found = place(experiment, (*_held(store, layer), *given.values()))
        if isinstance(found, Holding):
            self._given.setdefault(layer, {})[found.uid] = found
        return found

    def withdraw(self, experiment: Experiment) -> None:
        """Take back what was given to an Experiment that does not start after all."""
        if layer := experiment.spec.layer:
            self._given.get(Layer(experiment.metadata.namespace, layer.name), {}).pop(
                experiment.metadata.uid, None
            )

    def _pending(self, store: Store, layer: Layer) -> dict[str, Holding]:
        """Return what was given and stands in no status yet; forget the rest."""
        waiting = {b["metadata"]["uid"] for b in store.layer(layer) if not started(b)}
        kept = {uid: one for uid, one in self._given.pop(layer, {}).items() if uid in waiting}
        if kept:
            self._given[layer] = kept
        return kept


def _held(store: Store, layer: Layer) -> Iterator[Holding]:
    return filter(None, map(holding, store.layer(layer)))
