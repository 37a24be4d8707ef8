"""What a predictor needs to count rows for the collector: its orders, and the token of its namespace."""

from base64 import b64encode
from json import dumps

from assay_api.duration import seconds
from assay_api.names import MANAGED_BY, OPERATOR
from assay_api.serving import Capture
from assay_operator.manifests import Manifest
from assay_operator.manifests.platform import Platform

TOKEN_SECRET = "assay-predictor"  # the only Secret that the operator may write, by name
_FOLDER, _KEY = "/etc/assay/tokens", "predictor"
TOKEN_MOUNT: Manifest = {"name": "token", "mountPath": _FOLDER, "readOnly": True}


def captured(capture: Capture | None, platform: Platform) -> dict[str, str]:
    """Return the environment of a predictor that counts; nothing for one that doesn't."""
    if capture is None:
        return {}
    config = {"sample": capture.sample, "exclude": list(capture.exclude)}
    return {
        "ASSAY_CAPTURE": dumps(config, sort_keys=True),
        "ASSAY_CAPTURE_SECONDS": f"{seconds(capture.interval):g}",
        "ASSAY_COLLECTOR_URL": platform.collector_url,
        "ASSAY_TOKEN_FILE": f"{_FOLDER}/{_KEY}",
    }


def token_volume() -> Manifest:
    """Return the volume with the token; a pod without it serves, and its counts wait."""
    return {"name": "token", "secret": {"secretName": TOKEN_SECRET, "optional": True, "defaultMode": 0o440}}


def token_secret(namespace: str, token: str) -> Manifest:
    """Return the Secret with the token of a namespace; all its Models share it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": TOKEN_SECRET, "namespace": namespace, "labels": {MANAGED_BY: OPERATOR}},
        "type": "Opaque",
        "data": {_KEY: b64encode(token.encode()).decode()},
    }
