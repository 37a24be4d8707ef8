"""The Job that trains a version, or judges one that was brought: one pod, or as many as work on its study."""

from json import dumps
from urllib.parse import urlsplit

from assay_api import Model, ModelVersion, Source
from assay_api.data import SecretKeyRef
from assay_api.names import MODEL, ROLE, VERSION_OF, predictor_name, trainer_name
from assay_api.worker import Worker
from assay_operator.manifests import Manifest
from assay_operator.manifests.claim import volumes
from assay_operator.manifests.meta import (
    THREADS,
    child,
    credentials,
    env,
    owner,
    restricted_container,
    restricted_pod,
)
from assay_operator.manifests.platform import Platform
from assay_operator.manifests.sidecar import sidecar

REFUSED = 1  # the exit code of a training that says why; another attempt would say the same
PROGRESS_PORT = 9904  # where the leading worker tells how far it is
SQL_URL, STUDY_URL = "ASSAY_SQL_URL", "ASSAY_STUDY_URL"
_RETRIES = 2  # of pods that were killed, for each worker
_DEFAULTS = {"cpu": "100m", "memory": "512Mi"}


def job(
    model: Model,
    version: ModelVersion,
    others: dict[str, ModelVersion],
    platform: Platform,
) -> Manifest:
    """Return the Job; the termination message of its first pod brings its result back.

    Args:
        model: Whose version it is.
        version: What to train.
        others: Versions that it needs: `champion`, and `before`, which has an artifact.
        platform: The administrator's choices.
    """
    count = workers(version.spec.source, platform)
    rule = {
        "action": "FailJob",
        "onExitCodes": {"containerName": "trainer", "operator": "In", "values": [REFUSED]},
    }
    spec = {
        "backoffLimit": _RETRIES * count,
        "podFailurePolicy": {"rules": [rule]},
        **_indexed(count),
        "template": _template(model, version, others, platform),
    }
    of = {
        "namespace": model.metadata.namespace,
        "model": model.metadata.name,
        "component": "trainer",
        "owner": owner("ModelVersion", version.metadata),
        "labels": {VERSION_OF: version.metadata.name},
    }
    return child("batch/v1", "Job", trainer_name(version.metadata.name), of, {"spec": spec})


def workers(source: Source, platform: Platform) -> int:
    """Return how many pods work on the study: one where they could not share it, or there is none."""
    training = source.training
    if training is None:
        return 1
    root = platform.store.root
    shared = training.tuning.storage is not None or urlsplit(root).scheme in ("", "file")
    return training.tuning.parallelism if shared else 1


def _indexed(count: int) -> Manifest:
    """Pods with a number; the first leads."""
    if count == 1:
        return {}
    return {"completionMode": "Indexed", "completions": count, "parallelism": count}


def _template(
    model: Model, version: ModelVersion, others: dict[str, ModelVersion], platform: Platform
) -> Manifest:
    source = version.spec.source
    asks = source.training or source.evaluation
    assert asks is not None
    names, mounts = volumes(model.metadata.name, platform, read_only=False)
    judged = sidecar(model, version, platform)
    container = {
        "name": "trainer",
        "image": platform.trainer_image,
        "imagePullPolicy": platform.pull_policy,
        "command": ["python", "-m", "assay_training"],
        "env": _environment(source, order(model, version, others, platform), platform),
        **credentials(asks.data.secret_ref),
        "ports": [{"name": "progress", "containerPort": PROGRESS_PORT}],
        "resources": _resources(asks.worker, platform),
        "securityContext": restricted_container(),
        "terminationMessagePolicy": "File",
        "volumeMounts": mounts,
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        "containers": [container],
        "volumes": [*names, *judged.volumes],
        **judged.pod,
        **_placed(asks.worker),
    }
    labels = {MODEL: model.metadata.name, ROLE: "trainer", VERSION_OF: version.metadata.name}
    return {"metadata": {"labels": labels}, "spec": pod}


def _environment(source: Source, job: Manifest, platform: Platform) -> list[Manifest]:
    """Secrets come by reference: the API server, the Job and its log never hold them."""
    asks = source.training or source.evaluation
    assert asks is not None
    plain = {"ASSAY_JOB": dumps(job, sort_keys=True), "ASSAY_PROGRESS_PORT": str(PROGRESS_PORT)}
    secret: dict[str, SecretKeyRef] = {}
    if asks.data.sql:
        secret[SQL_URL] = asks.data.sql.url_secret_ref
    if source.training and source.training.tuning.storage:
        secret[STUDY_URL] = source.training.tuning.storage.url_secret_ref
    refs = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": ref.name, "key": ref.key}}}
        for name, ref in sorted(secret.items())
    ]
    return [*env(plain | _threads(asks.worker, platform)), *refs]


def _resources(worker: Worker, platform: Platform) -> Manifest:
    """What the spec says, over the administrator's defaults; a request may lift the default limit."""
    resources = worker.resources
    memory = resources.limits.get("memory") or resources.requests.get("memory") or platform.trainer_memory
    least = {"memory": memory} if "memory" in resources.limits else {}
    return {
        "requests": _DEFAULTS | least | resources.requests,
        "limits": {"memory": memory} | resources.limits,
    }


def _placed(worker: Worker) -> Manifest:
    tolerations = [
        one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in worker.tolerations
    ]
    fields = {
        "nodeSelector": worker.node_selector,
        "tolerations": tolerations,
        "serviceAccountName": worker.service_account_name,
        "priorityClassName": worker.priority_class_name,
    }
    return {name: value for name, value in fields.items() if value}


def _threads(worker: Worker, platform: Platform) -> dict[str, str]:
    """Threads of BLAS and OpenMP: whole cores of the CPU limit."""
    limit = worker.resources.limits.get("cpu", platform.trainer_cpu)
    cores = float(limit.removesuffix("m")) / (1000 if limit.endswith("m") else 1)
    return dict.fromkeys(THREADS, str(max(1, int(cores))))


def artifact_path(version: ModelVersion) -> str:
    """Return the folder of a version below the store's root."""
    return f"{version.metadata.namespace}/{version.spec.model_ref.name}/{version.metadata.name}"


def order(
    model: Model, version: ModelVersion, others: dict[str, ModelVersion], platform: Platform
) -> Manifest:
    """Return what the training is told."""
    source = version.spec.source.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        "model": model.metadata.name,
        "namespace": model.metadata.namespace,
        "version": version.metadata.name,
        "number": version.spec.number,
        "store": platform.store.root,
        "path": artifact_path(version),
        "task": source["task"],
        "gates": source["gates"],
        **{name: source[name] for name in ("training", "artifact", "image", "evaluation") if name in source},
        **{name: _reached(one) for name, one in others.items()},
    }


def _reached(version: ModelVersion) -> Manifest:
    return _stored(version) if version.status.artifact else _serves(version)


def _serves(version: ModelVersion) -> Manifest:
    """Where an image answers: it has no artifact, but the champion always has pods."""
    image, asks = version.spec.source.image, version.spec.source.evaluation
    assert image is not None
    host = f"{predictor_name(version.metadata.name)}.{version.metadata.namespace}.svc"
    columns = {"columns": list(asks.columns)} if asks and asks.columns else {}
    return {"service": f"http://{host}", "path": image.predict_path, **columns}


def _stored(version: ModelVersion) -> Manifest:
    """Where a version lies; a yes to its pickle was given to that file, so it goes with it."""
    lies, brought = version.status.artifact, version.spec.source.artifact
    assert lies is not None
    yes = {"allowPickle": True} if brought and brought.allow_pickle else {}
    return {"uri": lies.uri, "digest": lies.digest, **yes}
