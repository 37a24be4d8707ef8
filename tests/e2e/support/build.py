"""Bring a cluster up: cluster, images, Assay, and a lake with data and two trained versions."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from cluster.settings import BIN, Cluster
from outside import PROMETHEUS_URL, WAREHOUSE_SECRET

from assay_artifact import Manifest

ROOT = Path(__file__).resolve().parents[3]
OUT = ROOT / "out/e2e/profiled"
LAKE = "lake"


def raise_cluster(cluster: Cluster) -> None:
    """Cluster, images, the faulty Bento and the chart; each only as far as it is missing."""
    hack = {**os.environ, "PYTHONPATH": str(ROOT / "hack")}
    subprocess.run([sys.executable, "-m", "images", "up", cluster.name], check=True, env=hack, cwd=ROOT)
    helm = str(BIN / "helm") if (BIN / "helm").exists() else "helm"
    words = [
        "upgrade",
        "--install",
        "assay",
        str(ROOT / "charts/assay"),
        "-n",
        "assay-system",
        "--create-namespace",
    ]
    words += ["-f", str(ROOT / "out" / cluster.name / "images.yaml"), "--wait", "--timeout", "3m"]
    sources = {"prometheus": {"url": PROMETHEUS_URL}, "sql": {"secrets": [WAREHOUSE_SECRET]}}
    words += ["--set-json", f"sources={json.dumps(sources)}"]
    subprocess.run([helm, *words], check=True, env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)})


def data() -> Path:
    """Return the folder with churn.csv (to learn from) and live.csv (to serve)."""
    folder = ROOT / "out/churn"
    if not (folder / "live.csv").exists():
        subprocess.run(
            [sys.executable, str(ROOT / "examples/churn/prepare.py"), str(folder)], check=True, cwd=ROOT
        )
    return folder


def trained(name: str, algorithm: str, features: dict[str, list[str]] | None) -> tuple[Path, str]:
    """Train a version here, once, by the Job's own program; return its folder and its digest."""
    report = OUT / f"{name}.json"
    if not report.exists():
        job = {
            "model": name, "namespace": "e2e", "version": name, "number": 1, "store": f"file://{OUT / name}",
            "path": f"e2e/{name}", "task": "Classification", "gates": [], "champion": None,
            "training": {
                "data": {"uri": str(data() / "churn.csv"), "target": "churn", "key": "customer_id"},
                "algorithms": [algorithm], "tuning": {"trials": 1, "seed": 7},
                **({"features": features} if features else {}),
            },
        }  # fmt: skip
        env = {
            **os.environ,
            "ASSAY_JOB": json.dumps(job),
            "ASSAY_TERMINATION_LOG": str(report),
            "OMP_NUM_THREADS": "1",
        }
        OUT.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "assay_training"], check=True, env=env)
    artifact = json.loads(report.read_text())["artifact"]
    return Path(artifact["uri"].removeprefix("file://")), artifact["digest"]


def lone(name: str, folder: Path) -> dict[str, Any]:
    """Return the graph in a trained version's folder as a source of its own: a file without a manifest."""
    content = (folder / "model.onnx").read_bytes()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {
        "artifact": {"uri": f"http://{LAKE}.{LAKE}/{name}/model.onnx", "digest": digest, "format": "ONNX"}
    }


def lake(folders: dict[str, Path], image: str) -> list[dict[str, Any]]:
    """Return the objects of a data lake: churn.csv, and each folder's files under its name."""
    things: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LAKE}}]
    mounts, volumes = [], []
    rows = {"churn.csv": (data() / "churn.csv").read_bytes()}
    for name, files in ({"data": rows, "held": _held()} | {n: _files(f) for n, f in folders.items()}).items():
        content = {k: base64.b64encode(v).decode() for k, v in files.items()}
        things.append(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": LAKE},
                "binaryData": content,
            }
        )
        mounts.append({"name": name, "mountPath": f"/lake/{name}", "readOnly": True})
        volumes.append({"name": name, "configMap": {"name": name}})
    deployment, service = yaml.safe_load_all((ROOT / "examples/churn/lake.yaml").read_text())
    for thing in (deployment, service):
        thing["metadata"]["namespace"] = LAKE
    pod = deployment["spec"]["template"]["spec"]
    pod["containers"][0] |= {"image": image, "volumeMounts": mounts}
    pod["volumes"] = volumes
    return [*things, deployment, service]


def _held() -> dict[str, bytes]:
    """A few held-out customers with their labels; and those among them whom the faulty Bento can answer."""
    head, *rows = (data() / "live.csv").read_text().splitlines(keepends=True)[:601]
    friendly = [row for row in rows if "area_code_510" not in row]
    return {
        name: "".join([head, *some]).encode()
        for name, some in (("everybody.csv", rows), ("friendly.csv", friendly))
    }


def _files(folder: Path) -> dict[str, bytes]:
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_text())
    return {name: (folder / name).read_bytes() for name in ("manifest.json", *manifest.files)}
