"""Version 3's image: a user's own Bento on top of the predictor's packages, brought to the cluster.

`PYTHONPATH=hack:hack/demo python -m churndemo.bento CLUSTER` does it by hand and prints the reference.
"""

import hashlib
import sys
from pathlib import Path

from cluster.oci import Layout, layer
from cluster.settings import Cluster
from cluster.shell import locked, run, works
from images import catalog, store
from images.deliver import deliver

FOLDER = Path(__file__).parents[3] / "examples/churn/faulty"
FILES = ("Containerfile", "rules.py", "service.py")
IMAGE = catalog.Image("churn-rules", "serving", None)
CHANGES = {
    "Cmd": ["bentoml", "serve", "service:ChurnRules", "--host", "0.0.0.0", "--port", "3000"],
    "Entrypoint": [],
    "WorkingDir": "/srv/bento",
}


def bring(cluster: Cluster) -> str:
    """Build the image and bring it to where the cluster takes its images from; return its reference.

    Raises:
        Refusal: The cluster is not ours, and no registry is named.
        Failed: The builder could not.
    """
    predictor = store.build(catalog.choose(["predictor"]))[0]
    tag = hashlib.sha256(b"".join(_content(name) for name in FILES) + predictor.tag.encode()).hexdigest()[:12]
    engine = store.builder()
    built = _by_engine(engine, predictor, tag) if engine else _stacked(predictor, tag)
    deliver(cluster, [built])
    return built.reference


def _stacked(predictor: store.Built, tag: str) -> store.Built:
    """Do what the Containerfile says without an engine: one more layer, and another command."""
    files = [(f"srv/bento/{name}", _content(name)) for name in FILES[1:]]
    layout, name = Layout(), f"{IMAGE.name}-{tag}"
    with locked(layout.folder.parent / f".{IMAGE.name}.lock"):
        found = layout.find(name) or layout.stack(predictor.descriptor, layer(files), name, CHANGES)
    return store.Built(IMAGE, tag, found)


def _by_engine(engine: str, predictor: store.Built, tag: str) -> store.Built:
    built = store.Built(IMAGE, tag, {})
    if not works(engine, "image", "inspect", built.reference):
        run(engine, "build", "--build-arg", f"BASE={predictor.reference}", "-t", built.reference, FOLDER)
    return built


def _content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


if __name__ == "__main__":
    print(bring(Cluster(sys.argv[1])))
