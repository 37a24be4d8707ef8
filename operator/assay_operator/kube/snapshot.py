"""From the bodies of one Model to its snapshot; one that does not parse, or is odd, stops nothing."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from assay_api import Experiment, Model, ModelVersion, Ref
from assay_api.names import ROLE, VERSION_OF, predictor_name, trainer_name
from assay_operator.gateway import Endpoint
from assay_operator.kinds import DEPLOYMENT, JOB, POD, SLICE, VERSION, Kind
from assay_operator.kube import Body
from assay_operator.kube.ownership import relation
from assay_operator.kube.parsing import Parsed
from assay_operator.kube.workload import deployment, endpoints, job, pod
from assay_operator.plan.world import Key, Snapshot

log = logging.getLogger(__name__)
T = TypeVar("T")
Objects = Mapping[Key, Body]


def snapshot(
    ref: Ref, objects: Objects, values: Iterable[Parsed], unreadable: Mapping[Key, str] | None = None
) -> Snapshot:
    """Return what the API server holds of one Model.

    Args:
        ref: The Model.
        objects: Every body that belongs to it.
        values: Those of our own kinds, parsed.
        unreadable: Which of them do not parse as they are, and why.
    """
    values = tuple(values)
    model = next((v for v in values if isinstance(v, Model)), None)
    return Snapshot(
        ref=ref,
        model=model,
        versions=tuple(sorted(_owned(values, objects, model), key=lambda v: v.spec.number)),
        experiments=tuple(sorted((v for v in values if isinstance(v, Experiment)), key=_age)),
        objects=objects,
        unreadable=unreadable or {},
        jobs=_jobs(objects),
        trainers=_pods(objects, "trainer"),
        predictors=_pods(objects, "predictor"),
        deployments=_by_version(objects, DEPLOYMENT, deployment),
        backends=_backends(objects, ready=True),
        standby=_backends(objects, ready=False),
    )


def _owned(values: Iterable[Parsed], objects: Objects, model: Model | None) -> Iterator[ModelVersion]:
    """Yield the Model's own versions; one that somebody else made, or of a former Model, is none."""
    for value in values:
        if not isinstance(value, ModelVersion) or model is None:
            continue
        body = objects[Key(VERSION.kind, value.metadata.name)]
        if relation(body, model.metadata.uid, model.metadata.name) in {"Ours", "Orphan"}:
            yield value


def _age(experiment: Experiment) -> tuple[str, str]:
    return experiment.metadata.creation_timestamp, experiment.metadata.name


def _kind(objects: Objects, kind: Kind) -> Iterator[Body]:
    return (body for key, body in objects.items() if key.kind == kind.kind)


def _version_of(body: Body) -> str:
    return str((body["metadata"].get("labels") or {}).get(VERSION_OF, ""))


def _tolerant(read: Callable[[Body], T], body: Body) -> T | None:
    """Read a body that somebody else may have written; what cannot be read is as good as absent."""
    try:
        return read(body)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        metadata = body["metadata"]
        log.warning("%s %s/%s is odd: %r", body.get("kind"), metadata["namespace"], metadata["name"], error)
        return None


def _by_version(objects: Objects, kind: Kind, read: Callable[[Body], T]) -> dict[str, T]:
    found = {_version_of(body): _tolerant(read, body) for body in _kind(objects, kind)}
    return {version: value for version, value in found.items() if version and value is not None}


def _jobs(objects: Objects) -> dict[str, Any]:
    found = _by_version(objects, JOB, job)
    return {version: state for version, state in found.items() if state.name == trainer_name(version)}


def _pods(objects: Objects, role: str) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for body in _kind(objects, POD):
        if (body["metadata"].get("labels") or {}).get(ROLE) == role and (state := _tolerant(pod, body)):
            found[state.version] = (*found.get(state.version, ()), state)
    return found


def _backends(objects: Objects, *, ready: bool) -> dict[str, tuple[Endpoint, ...]]:
    """Return the endpoints of each version, from the slices that Kubernetes keeps of its Service."""
    found: dict[str, set[Endpoint]] = {}
    for body in _kind(objects, SLICE):
        labels = body["metadata"].get("labels") or {}
        version = labels.get(VERSION_OF, "")
        if version and labels.get("kubernetes.io/service-name") == predictor_name(version):
            addresses = _tolerant(lambda b: list(endpoints(b, ready=ready)), body) or []
            found.setdefault(version, set()).update(Endpoint(*one) for one in addresses)
    return {version: tuple(sorted(known)) for version, known in found.items()}
