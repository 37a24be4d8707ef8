"""The image that a Job judges, beside the container that asks it."""

from typing import NamedTuple

from assay_api import Model, ModelVersion
from assay_operator.manifests import Manifest
from assay_operator.manifests.meta import env, restricted_container
from assay_operator.manifests.platform import Platform

NAME, _TMP = "judged", "judged-tmp"


class Sidecar(NamedTuple):
    """What a pod has more: fields of its spec, and volumes."""

    pod: Manifest
    volumes: tuple[Manifest, ...] = ()


def sidecar(model: Model, version: ModelVersion, platform: Platform) -> Sidecar:
    """Return the image as a sidecar, which ends with the Job; nothing where there is no image to judge.

    It has neither the data's secrets nor a volume in common with the container that has the rows. It is not
    waited for by the kubelet, which would do so for ever, but by that container, which says what is wrong.
    """
    image = version.spec.source.image
    if image is None:
        return Sidecar({})
    container = {
        "name": NAME,
        "image": image.image,
        "imagePullPolicy": platform.pull_policy,
        "restartPolicy": "Always",
        "env": env({"ASSAY_VERSION": version.metadata.name}),
        "resources": model.spec.serving.resources.model_dump(mode="json", exclude_none=True),
        "securityContext": restricted_container(),
        "volumeMounts": [{"name": _TMP, "mountPath": "/tmp"}],
    }
    account = model.spec.serving.service_account_name
    allowed = {"serviceAccountName": account} if account in platform.predictor_service_accounts else {}
    return Sidecar({"initContainers": [container], **allowed}, ({"name": _TMP, "emptyDir": {}},))
