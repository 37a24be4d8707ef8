"""The peer: a kopf operator that watches the same kinds and does nothing.

Prints `ready COUNT` while the listings come in, and `changed NAMESPACE/NAME GENERATION SECONDS` for each
change of a Model, in seconds of the system's monotonic clock.
"""

import asyncio
import time
from typing import Any

import kopf

MODEL, ROLE = "assay.dev/model", "assay.dev/role"
KINDS = (
    ("assay.dev", "v1alpha1", "models", ""),
    ("assay.dev", "v1alpha1", "modelversions", ""),
    ("assay.dev", "v1alpha1", "experiments", ""),
    ("apps", "v1", "deployments", MODEL),
    ("batch", "v1", "jobs", MODEL),
    ("", "v1", "pods", ROLE),
    ("", "v1", "services", MODEL),
    ("discovery.k8s.io", "v1", "endpointslices", MODEL),
    ("", "v1", "persistentvolumeclaims", MODEL),
    ("autoscaling", "v2", "horizontalpodautoscalers", MODEL),
    ("policy", "v1", "poddisruptionbudgets", MODEL),
)


def main() -> None:
    """Run until told to stop."""
    registry, settings, count = kopf.OperatorRegistry(), kopf.OperatorSettings(), 0
    settings.posting.enabled = False

    async def on_event(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        nonlocal count
        if event["type"] is None:
            count += 1
            print("ready", count, flush=True)
        elif body["kind"] == "Model":
            metadata = body["metadata"]
            name = f"{metadata['namespace']}/{metadata['name']}"
            print("changed", name, metadata["generation"], time.monotonic(), flush=True)

    for group, version, plural, label in KINDS:
        where = (group, version, plural) if group else (version, plural)
        kopf.on.event(*where, id=plural, registry=registry)(on_event)
        if label:
            settings.watching.label_selectors[group, version, plural] = label

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_kubeconfig(**kwargs)

    asyncio.run(kopf.operator(registry=registry, settings=settings, standalone=True, clusterwide=True))


if __name__ == "__main__":
    main()
