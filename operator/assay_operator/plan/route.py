"""What the gateways are told of a Model: its champion, and the split or the shadow of its Experiment."""

from assay_api import Experiment, Model
from assay_api.duration import seconds
from assay_api.names import predictor_name
from assay_assign import Interval
from assay_operator.gateway import ArmRoute, Backend, Endpoint, ModelRoute, Shadow, Split
from assay_operator.manifests.predictor import SERVICE_PORT
from assay_operator.plan.world import Key, World


def route(world: World, model: Model, champion: str) -> ModelRoute | None:
    """Return the route, or None while there is no champion."""
    if not champion:
        return None
    return ModelRoute(
        namespace=world.ref.namespace,
        name=world.ref.name,
        champion=_champion(world, champion),
        split=_split(world),
        shadow=_shadow(world),
        retry_executed=model.spec.serving.retry_executed,
        timeout_seconds=seconds(model.spec.serving.timeout),
    )


def _champion(world: World, version: str) -> Backend:
    """Return the champion's ready pods; if none is, those that are there: a late answer beats a refusal."""
    ready = world.snapshot.backends.get(version) or world.snapshot.standby.get(version, ())
    return Backend(version, ready, _service(world, version))


def _split(world: World) -> Split | None:
    """Return the split that the status of the running Experiment says; the status is the truth."""
    running = world.active
    if running is None or running.status.started_at is None or not running.status.state.table:
        return None
    return Split(
        uid=running.metadata.uid,
        epoch=running.status.state.epoch,
        header=running.spec.unit.header,
        arms=_arms(world, running),
        table=tuple(Interval(s.arm, s.start, s.end) for s in running.status.state.table),
        salt=running.status.state.salt if running.spec.layer else "",
    )


def _shadow(world: World) -> Shadow | None:
    """Return whom requests are copied to, and how many of them: what the present step says."""
    running = world.active
    if running is None or running.status.started_at is None or running.spec.mode != "Shadow":
        return None
    backend = _backend(world, running.spec.candidates[0].version)
    return Shadow(backend, running.spec.ramp[running.status.step].percent)


def _arms(world: World, running: Experiment) -> tuple[ArmRoute, ...]:
    return tuple(ArmRoute(arm.name, _backend(world, arm.version)) for arm in running.spec.arms)


def _backend(world: World, version: str) -> Backend:
    return Backend(version, world.snapshot.backends.get(version, ()), _service(world, version))


def _service(world: World, name: str) -> Endpoint | None:
    """Return the address of the version's own Service: it stays for as long as the Service does."""
    body, version = world.snapshot.objects.get(Key("Service", predictor_name(name))), world.version(name)
    owners = body["metadata"].get("ownerReferences") or () if body else ()
    if body is None or version is None or version.metadata.uid not in {one["uid"] for one in owners}:
        return None
    address = body["spec"].get("clusterIP", "")
    return Endpoint(address, SERVICE_PORT) if address not in {"", "None"} else None
