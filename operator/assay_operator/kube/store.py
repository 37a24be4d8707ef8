"""The newest body of everything we watch, by the Model it belongs to.

Fed by listings, by watch events and by the answers to our own writes. `kopf.index` would do the first
two, but makes every object wait for every other at the start, and keeps what vanished in a watch gap.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from assay_api import Ref
from assay_api.names import MODEL as MODEL_LABEL
from assay_operator.kinds import EXPERIMENT, MODEL, VERSION, Kind
from assay_operator.kube import Body
from assay_operator.kube.compaction import compact
from assay_operator.plan.world import Key

_NOTHING: Mapping[Key, Body] = MappingProxyType({})


class Layer(NamedTuple):
    """Who a layer is."""

    namespace: str
    name: str


def model_of(body: Body) -> Ref | None:
    """Return the Model that `body` belongs to, or None if it belongs to none."""
    metadata = body["metadata"]
    match body.get("kind"):
        case MODEL.kind:
            name = metadata["name"]
        case VERSION.kind | EXPERIMENT.kind:
            name = _text(body, "spec", "modelRef", "name")
        case _:
            name = (metadata.get("labels") or {}).get(MODEL_LABEL)
    return Ref(metadata["namespace"], name) if name else None


def _text(body: Any, *path: str) -> str:
    """Return the text at a path; empty where there is none: another release may have let anything pass."""
    for step in path:
        body = body.get(step) if isinstance(body, Mapping) else None
    return body if isinstance(body, str) else ""


def layer_of(body: Body) -> Layer | None:
    """Return the layer that an Experiment names, or None."""
    name = _text(body, "spec", "layer", "name") if body.get("kind") == EXPERIMENT.kind else ""
    return Layer(body["metadata"]["namespace"], name) if name else None


class Store:
    """Bodies by Model, kind and name; an older one never replaces a newer one."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._models: defaultdict[Ref, dict[Key, Body]] = defaultdict(dict)
        self._given: dict[Ref, Mapping[Key, Body]] = {}  # copies, until something of the Model changes
        self._of_uid: dict[str, Ref] = {}  # so that news of one object needs no walk over all
        self._layers: defaultdict[Layer, dict[str, Body]] = defaultdict(dict)

    def put(self, body: Body) -> Ref | None:
        """Remember `body` unless a newer one is known; return its Model. What belongs to none is not kept."""
        model, metadata = model_of(body), body["metadata"]
        if model is None:
            return None
        if self._is_outdated(body):
            return model
        self._moved(body, model)
        trimmed, place, key = compact(body), self._models[model], _key(body)
        self._refile(place.get(key), trimmed)
        place[key] = trimmed
        self._given.pop(model, None)
        self._of_uid[metadata["uid"]] = model
        return model

    def drop(self, body: Body) -> Ref | None:
        """Forget `body`; return its Model. One of another uid has replaced it and stays."""
        metadata = body["metadata"]
        model = self._of_uid.pop(metadata["uid"], None) or model_of(body)
        place, key = self._models.get(model, {}) if model else {}, _key(body)
        if key in place and place[key]["metadata"]["uid"] == metadata["uid"]:
            self._refile(place.pop(key), None)
        if model:
            self._given.pop(model, None)
        if model and not place:
            self._models.pop(model, None)
        return model

    def replace(self, kind: Kind, bodies: Iterable[Body], version: int) -> set[Ref]:
        """Take a listing: forget what is not in it, unless it is newer; return the Models that changed."""
        listed = [body for body in bodies if model_of(body)]
        uids = {body["metadata"]["uid"] for body in listed}
        gone = [b for b in self._all(kind) if b["metadata"]["uid"] not in uids and _age(b) <= version]
        touched = {self.drop(body) for body in gone}
        touched |= {self.put(body) for body in listed if self.is_news(body)}
        return {ref for ref in touched if ref}

    def is_news(self, body: Body) -> bool:
        """Tell whether `body` is newer than what is known."""
        known = self._known(body)
        return known is None or _age(known) < _age(body)

    def _is_outdated(self, body: Body) -> bool:
        known = self._known(body)
        return known is not None and _age(known) > _age(body)

    def _known(self, body: Body) -> Body | None:
        """Return the object as it is known, at whichever Model that is."""
        model = self._of_uid.get(body["metadata"]["uid"]) or model_of(body)
        return self.object(model, _key(body)) if model else None

    def object(self, ref: Ref, key: tuple[str, str]) -> Body | None:
        """Return one object of a Model; None if there is none."""
        return self._models.get(ref, {}).get(Key(*key))

    def objects(self, ref: Ref) -> Mapping[Key, Body]:
        """Return what belongs to a Model; the very same mapping for as long as nothing of it changes."""
        if ref not in self._models:
            return _NOTHING
        if ref not in self._given:
            self._given[ref] = dict(self._models[ref])
        return self._given[ref]

    def layer(self, layer: Layer) -> tuple[Body, ...]:
        """Return the Experiments of a layer, running or not."""
        return tuple(self._layers.get(layer, {}).values())

    def whose(self, uid: str) -> Ref | None:
        """Return the Model that the object of that uid belongs to."""
        return self._of_uid.get(uid)

    def refs(self) -> tuple[Ref, ...]:
        """Return every Model that has anything, be it only an Experiment that names it."""
        return tuple(self._models)

    def _moved(self, body: Body, model: Ref | None) -> None:
        """Forget an object at the Model that it belonged to before."""
        before = self._of_uid.get(body["metadata"]["uid"])
        if before and before != model and before in self._models:
            self._given.pop(before, None)
            self._refile(self._models[before].pop(_key(body), None), None)

    def _refile(self, old: Body | None, new: Body | None) -> None:
        """Keep the index of layers in step with one Experiment."""
        if old and (layer := layer_of(old)):
            self._layers[layer].pop(old["metadata"]["uid"], None)
            if not self._layers[layer]:
                del self._layers[layer]
        if new and (layer := layer_of(new)):
            self._layers[layer][new["metadata"]["uid"]] = new

    def _all(self, kind: Kind) -> list[Body]:
        return [b for model in self._models.values() for (k, _), b in model.items() if k == kind.kind]


def _key(body: Body) -> Key:
    return Key(body.get("kind", ""), body["metadata"]["name"])


def _age(body: Body) -> int:
    """Resource versions of one cluster grow; comparable as numbers since Kubernetes promised so in 1.35."""
    return int(body["metadata"].get("resourceVersion") or 0)
