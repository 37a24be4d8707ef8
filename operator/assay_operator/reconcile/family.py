"""Gather: everything that belongs to one Model, as one frozen value."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import ValidationError

from assay_api import Experiment, Model, ModelVersion, Ref
from assay_api.names import ROLE, VERSION_OF, trainer_name
from assay_operator.gateway import Endpoint
from assay_operator.kube import DEPLOYMENT, EXPERIMENT, JOB, MODEL, POD, SLICE, VERSION, Body, Kind
from assay_operator.kube.seen import (
    DeploymentSeen,
    JobSeen,
    PodSeen,
    deployment,
    endpoints,
    job,
    pod,
)
from assay_operator.kube.store import Key, Store

log = logging.getLogger(__name__)
T = TypeVar("T", Model, ModelVersion, Experiment)


@dataclass(frozen=True)
class Family:
    """A Model and all that belongs to it, as last seen."""

    ref: Ref
    model: Model | None
    versions: tuple[ModelVersion, ...]  # by number
    experiments: tuple[Experiment, ...]  # by age
    live: Mapping[Key, Body]
    jobs: Mapping[str, JobSeen]  # by version
    trainers: Mapping[str, tuple[PodSeen, ...]]
    predictors: Mapping[str, tuple[PodSeen, ...]]
    deployments: Mapping[str, DeploymentSeen]
    backends: Mapping[str, tuple[Endpoint, ...]]  # ready pods
    standby: Mapping[str, tuple[Endpoint, ...]]  # the same, and those that are not ready just now
    gateways: tuple[str, ...]  # addresses

    def version(self, name: str) -> ModelVersion | None:
        """Return the version of that name."""
        return next((v for v in self.versions if v.metadata.name == name), None)

    def having(self, *changed: Experiment) -> "Family":
        """Return the family with these Experiments as they are now."""
        new = {e.metadata.uid: e for e in changed}
        return replace(self, experiments=tuple(new.get(e.metadata.uid, e) for e in self.experiments))


class Gatherer:
    """Parses what the store holds; a body that did not change is parsed once."""

    def __init__(self, store: Store, system: str) -> None:
        """Take the store and the namespace of the gateways; a pod elsewhere may call itself one."""
        self._store = store
        self._system = system
        self._parsed: dict[Ref, dict[str, tuple[str, Any]]] = {}

    def __call__(self, ref: Ref) -> Family:
        """Return the family of a Model, which may itself be missing."""
        live = self._store.family(ref)
        known, now = self._parsed.get(ref, {}), {}
        for (kind, _), body in live.items():
            if kind in _TYPES:
                uid, version = body["metadata"]["uid"], body["metadata"].get("resourceVersion", "")
                old = known.get(uid)
                now[uid] = old if old and old[0] == version else (version, _parse(kind, body))
        self._parsed[ref] = now
        if not live:
            del self._parsed[ref]
        things = [thing for _, thing in now.values() if thing is not None]
        models = [t for t in things if isinstance(t, Model)]
        return Family(
            ref=ref,
            model=models[0] if models else None,
            versions=tuple(sorted(_only(things, ModelVersion), key=lambda v: v.spec.number)),
            experiments=tuple(sorted(_only(things, Experiment), key=_turn)),
            live=live,
            jobs={
                _owner(b): job(b)
                for b in _kind(live, JOB)
                if b["metadata"]["name"] == trainer_name(_owner(b))
            },
            trainers=_pods(live, "trainer"),
            predictors=_pods(live, "predictor"),
            deployments={_owner(b): deployment(b) for b in _kind(live, DEPLOYMENT)},
            backends=_backends(live, ready=True),
            standby=_backends(live, ready=False),
            gateways=tuple(sorted(_gateways(self._store, self._system))),
        )


_TYPES: dict[str, type[Model] | type[ModelVersion] | type[Experiment]] = {
    MODEL.kind: Model,
    VERSION.kind: ModelVersion,
    EXPERIMENT.kind: Experiment,
}


def _parse(kind: str, body: Body) -> Model | ModelVersion | Experiment | None:
    """The schema lets nothing pass that does not parse, unless another release wrote the schema."""
    try:
        return _TYPES[kind].model_validate(body)
    except ValidationError:
        log.exception("%s %s is not understood and left alone", kind, body["metadata"]["name"])
        return None


def _turn(experiment: Experiment) -> tuple[str, str]:
    return experiment.metadata.creation_timestamp, experiment.metadata.name


def _only(things: list[Any], kind: type[T]) -> list[T]:
    return [thing for thing in things if isinstance(thing, kind)]


def _kind(live: Mapping[Key, Body], kind: Kind) -> Iterator[Body]:
    return (body for (name, _), body in live.items() if name == kind.kind)


def _owner(body: Body) -> str:
    return str((body["metadata"].get("labels") or {}).get(VERSION_OF, ""))


def _pods(live: Mapping[Key, Body], role: str) -> dict[str, tuple[PodSeen, ...]]:
    found: dict[str, tuple[PodSeen, ...]] = {}
    for body in _kind(live, POD):
        if body["metadata"]["labels"].get(ROLE) == role:
            found[_owner(body)] = (*found.get(_owner(body), ()), pod(body))
    return found


def _backends(live: Mapping[Key, Body], *, ready: bool) -> dict[str, tuple[Endpoint, ...]]:
    found: dict[str, set[Endpoint]] = {}
    for body in _kind(live, SLICE):
        if owner := _owner(body):
            found.setdefault(owner, set()).update(
                Endpoint(*endpoint) for endpoint in endpoints(body, ready=ready)
            )
    return {version: tuple(sorted(known)) for version, known in found.items()}


def _gateways(store: Store, system: str) -> Iterator[str]:
    for body in store.strays():
        metadata = body["metadata"]
        if metadata["namespace"] == system and (metadata.get("labels") or {}).get(ROLE) == "gateway":
            seen = pod(body)
            if seen.ready and seen.address and not seen.leaving:
                yield seen.address
