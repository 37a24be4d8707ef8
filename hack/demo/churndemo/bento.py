"""Version 3's image: a user's own Bento on top of the predictor's packages, brought into the cluster."""

from pathlib import Path

from cluster import containerd, kind, providers
from cluster.oci import Layout, layer
from cluster.settings import Cluster
from cluster.shell import Refusal, run
from images import catalog, store

FOLDER = Path(__file__).parents[3] / "examples/churn/faulty"
REFERENCE = "localhost/assay-churn-rules:1"
COMMAND = ["bentoml", "serve", "service:ChurnRules", "--host", "0.0.0.0", "--port", "3000"]
HOME = "srv/bento"


def bring(cluster: Cluster) -> str:
    """Build the image and load it, by whatever the cluster is made of; return its reference.

    Raises:
        Refusal: The cluster is not ours, so we cannot put images into it.
    """
    match providers.remembered(cluster):
        case "node":
            _onto_node(cluster)
        case "kind":
            engine = kind.engine() or "docker"
            predictor = store.build(catalog.choose(["predictor"]))[0]
            run(engine, "build", "--build-arg", f"BASE={predictor.reference}", "-t", REFERENCE, FOLDER)
            kind.load(cluster, REFERENCE)
        case _:
            raise Refusal(f"build {FOLDER}, push it where your cluster finds it, and say --bento REFERENCE")
    return REFERENCE


def _onto_node(cluster: Cluster) -> None:
    predictor = store.build(catalog.choose(["predictor"]))[0]
    files = [(f"{HOME}/{name}", (FOLDER / name).read_bytes()) for name in ("rules.py", "service.py")]
    layout = Layout()
    changes = {"Cmd": COMMAND, "Entrypoint": [], "WorkingDir": f"/{HOME}"}
    built = layout.stack(predictor.descriptor, layer(files), "churn-rules", changes)
    containerd.load(cluster, layout, built, REFERENCE)
