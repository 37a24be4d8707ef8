"""What the gateways are told of a Model: its champion, and the split or the shadow of its Experiment."""

from assay_api import Experiment, Model
from assay_api.duration import seconds
from assay_api.names import predictor_name
from assay_assign import Interval
from assay_operator.decide.start import whose_turn
from assay_operator.gateway import ArmRoute, Backend, Endpoint, ModelRoute, Shadow, Split
from assay_operator.kube import SERVICE
from assay_operator.manifests.predictor import SERVICE_PORT as PORT
from assay_operator.reconcile.family import Family


def route(family: Family, model: Model, champion: str) -> ModelRoute | None:
    """Return the route, or None while there is no champion."""
    if not champion:
        return None
    return ModelRoute(
        namespace=family.ref.namespace,
        name=family.ref.name,
        champion=_champion(family, champion),
        split=_split(family),
        shadow=_shadow(family),
        retry_executed=model.spec.serving.retry_executed,
        timeout_seconds=seconds(model.spec.serving.timeout),
    )


def _champion(family: Family, version: str) -> Backend:
    """Return the champion's ready pods; if none is, those that are there: a late answer beats a refusal."""
    ready = family.backends.get(version) or family.standby.get(version, ())
    return Backend(version, ready, _service(family, version))


def _split(family: Family) -> Split | None:
    """Return the split that the status of the running Experiment says; the status is the truth."""
    running = whose_turn(family.experiments)
    if running is None or running.status.started_at is None or not running.status.table:
        return None
    return Split(
        uid=running.metadata.uid,
        epoch=running.status.epoch,
        header=running.spec.unit.header,
        arms=_arms(family, running),
        table=tuple(Interval(s.arm, s.start, s.end) for s in running.status.table),
        salt=running.status.salt if running.spec.layer else "",
    )


def _shadow(family: Family) -> Shadow | None:
    """Return whom requests are copied to, and how many of them: what the present step says."""
    running = whose_turn(family.experiments)
    if running is None or running.status.started_at is None or running.spec.mode != "Shadow":
        return None
    backend = _backend(family, running.spec.candidates[0].version)
    return Shadow(backend, running.spec.ramp[running.status.step].percent)


def _arms(family: Family, running: Experiment) -> tuple[ArmRoute, ...]:
    return tuple(ArmRoute(arm.name, _backend(family, arm.version)) for arm in running.spec.arms)


def _backend(family: Family, version: str) -> Backend:
    return Backend(version, family.backends.get(version, ()), _service(family, version))


def _service(family: Family, version: str) -> Endpoint | None:
    """Return the address of the version's Service: it stays for as long as the Service does."""
    body = family.live.get((SERVICE.kind, predictor_name(version)))
    address = body["spec"].get("clusterIP", "") if body else ""
    return Endpoint(address, PORT) if address not in {"", "None"} else None
