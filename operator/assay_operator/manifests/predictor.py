"""The Deployment and the Service that serve a version."""

from assay_api import Model, ModelVersion
from assay_api.names import MODEL, ROLE, VERSION_OF, predictor_name
from assay_api.version import StoredArtifact
from assay_operator.manifests import Manifest
from assay_operator.manifests.capture import TOKEN_MOUNT, captured, token_volume
from assay_operator.manifests.claim import volumes
from assay_operator.manifests.meta import (
    THREADS,
    child,
    credentials,
    env,
    restricted_container,
    restricted_pod,
)
from assay_operator.manifests.platform import Platform
from assay_operator.manifests.scaling import of, spread

PORT = 3000
SERVICE_PORT = 80
_DRAIN = 5  # seconds in which a leaving pod still answers, until every gateway knows
_GRACE = 45


def deployment(model: Model, version: ModelVersion, platform: Platform) -> Manifest:
    """Return the Deployment, which replaces its pods one by one and never has fewer than it should.

    How many there are is not said here, but by `scaling.size`, so that autoscalers may change it.
    """
    labels = {MODEL: model.metadata.name, ROLE: "predictor", VERSION_OF: version.metadata.name}
    spec = {
        "selector": {"matchLabels": labels},
        "revisionHistoryLimit": 1,
        "progressDeadlineSeconds": 300,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": {"labels": labels}, "spec": _pod(model, version, platform)},
    }
    return child(
        "apps/v1", "Deployment", predictor_name(version.metadata.name), of(model, version), {"spec": spec}
    )


def service(model: Model, version: ModelVersion) -> Manifest:
    """Return the Service: its EndpointSlices tell the gateway which pods are ready."""
    spec = {
        "selector": {ROLE: "predictor", VERSION_OF: version.metadata.name},
        "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": port(version), "protocol": "TCP"}],
    }
    return child("v1", "Service", predictor_name(version.metadata.name), of(model, version), {"spec": spec})


def port(version: ModelVersion) -> int:
    """Return the port on which the version's pods answer."""
    image = version.spec.source.image
    return image.port if image else PORT


def _pod(model: Model, version: ModelVersion, platform: Platform) -> Manifest:
    names, mounts = volumes(model.metadata.name, platform, read_only=True)
    container = _own_image(version) if version.spec.source.image else _artifact(model, version, platform)
    resources = model.spec.serving.resources.model_dump(mode="json", exclude_none=True)
    if model.spec.serving.capture and not version.spec.source.image:
        names, mounts = [*names, token_volume()], [*mounts, TOKEN_MOUNT]
    return {
        **_account(model, platform),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE,
        "securityContext": restricted_pod(),
        "topologySpreadConstraints": spread(version),
        "containers": [
            container
            | {
                "name": "predictor",
                "imagePullPolicy": platform.pull_policy,
                "ports": [{"name": "http", "containerPort": port(version)}],
                "resources": resources,
                "securityContext": restricted_container(),
                "volumeMounts": mounts,
            }
        ],
        "volumes": names,
    }


def _account(model: Model, platform: Platform) -> Manifest:
    """Return the service account that the Model asks for: none but an allowed one ever gets into a pod."""
    name = model.spec.serving.service_account_name
    return {"serviceAccountName": name} if name in platform.predictor_service_accounts else {}


def _probes(path: str, at: int) -> Manifest:
    get = {"path": path, "port": at}
    return {
        "startupProbe": {"httpGet": get, "periodSeconds": 1, "failureThreshold": 300, "timeoutSeconds": 2},
        "readinessProbe": {"httpGet": get, "periodSeconds": 2, "failureThreshold": 5, "timeoutSeconds": 3},
    }


def _artifact(model: Model, version: ModelVersion, platform: Platform) -> Manifest:
    stored = version.status.artifact or StoredArtifact(uri="", digest="")
    values = {
        "ASSAY_MODEL": model.metadata.name,
        "ASSAY_NAMESPACE": model.metadata.namespace,
        "ASSAY_VERSION": version.metadata.name,
        "DRAIN_SECONDS": str(_DRAIN),
        "MODEL_DIGEST": stored.digest,
        "MODEL_URI": stored.uri,
        "PORT": str(PORT),
    } | dict.fromkeys(THREADS, "1")
    values |= _opening(version) | captured(model.spec.serving.capture, platform)
    liveness = {"httpGet": {"path": "/livez", "port": PORT}, "periodSeconds": 10, "timeoutSeconds": 5}
    return {
        "image": platform.predictor_image,
        "command": ["python", "-m", "assay_serving"],
        "env": env(values),
        **credentials(model.spec.serving.secret_ref),
        "livenessProbe": liveness,
    } | _probes("/readyz", PORT)


def _opening(version: ModelVersion) -> dict[str, str]:
    """Return what the Model says of a file that it brought along; a Secret cannot say otherwise."""
    given = version.spec.source.artifact
    opens = given is not None and given.allow_pickle
    form = {} if given is None or given.format == "Any" else {"ASSAY_FORMAT": given.format.lower()}
    return form | {"ASSAY_ALLOW_PICKLE": "1" if opens else "0"}


def _own_image(version: ModelVersion) -> Manifest:
    """A user's own image may not drain by itself: it is told to leave after the gateways know."""
    image = version.spec.source.image
    assert image is not None
    return {
        "image": image.image,
        "env": env({"ASSAY_VERSION": version.metadata.name}),
        "lifecycle": {"preStop": {"sleep": {"seconds": _DRAIN}}},
    } | _probes(image.readiness_path, image.port)
