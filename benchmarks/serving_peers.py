"""The predictor against FastAPI with scikit-learn, plain BentoML and KServe: interleaved rounds, medians.

Run: `python benchmarks/serving_peers.py` (6 minutes); `--peers fastapi,bentoml,kserve`, `--rounds 5`.
Peers that this environment lacks get their own below ~/.cache/assay/bench. Compare within one run only:
load and servers share the machine. CPU is that of the server and its children, per request.
"""

import argparse
import contextlib
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import psutil
import skops.io
from skl2onnx import to_onnx
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from assay_artifact import Feature, Manifest, Written, write

PARTS = Path(__file__).parent / "serving_parts"
CACHE = Path.home() / ".cache" / "assay" / "bench"
FEATURES = [f"f{i}" for i in range(20)]
PACKAGES = {
    "fastapi": ["fastapi", "uvicorn[standard]", "joblib", "scikit-learn"],
    "kserve": ["kserve", "joblib", "scikit-learn"],
}
SHAPES = ((1, 1), (1, 16), (1, 64), (100, 16))  # rows in a request, connections
BARS = {("logistic", "assay"): 3, ("forest", "assay"): 8, ("forest", "assay ONNX"): 50}


class Model(NamedTuple):
    """One model in all its forms."""

    name: str
    joblib: Path
    forms: dict[str, Written]


def models(folder: Path) -> list[Model]:
    """Fit a logistic regression and a forest, and write every form of them."""
    x, y = make_classification(4000, 20, n_informative=10, random_state=0)
    estimators = {
        "logistic": LogisticRegression(max_iter=500),
        "forest": RandomForestClassifier(100, max_depth=10, random_state=0),
    }
    made = []
    for name, estimator in estimators.items():
        pipeline = make_pipeline(StandardScaler(), estimator).fit(x, y)
        joblib.dump(pipeline, folder / f"{name}.joblib")
        manifest = Manifest(
            model="bench",
            version=name,
            task="Classification",
            format="skops",
            file="model.skops",
            features=tuple(Feature(name=f, type="number") for f in FEATURES),
            classes=(0, 1),
        )
        forms = {
            "assay": write((folder / name).as_uri(), {"model.skops": skops.io.dumps(pipeline)}, manifest)
        }
        forms["assay ONNX"] = write(
            (folder / name).as_uri(),
            {"model.onnx": onnx(pipeline)},
            manifest.model_copy(update={"format": "onnx", "file": "model.onnx"}),
        )
        made.append(Model(name, folder / f"{name}.joblib", forms))
    return made


def onnx(pipeline: Any) -> bytes:
    """Convert to one input matrix."""
    graph = to_onnx(pipeline, np.zeros((1, 20), np.float32), options={id(pipeline): {"zipmap": False}})
    content: bytes = graph.SerializeToString()
    return content


def python_of(peer: str) -> str:
    """Return an interpreter that has the peer; make its environment if there is none."""
    if peer == "bentoml":
        return sys.executable
    folder = CACHE / peer
    if not (folder / "bin" / "python").exists():
        subprocess.run(["uv", "venv", "-q", "--python", "3.11", str(folder)], check=True)
        command = ["uv", "pip", "install", "-q", "--python", str(folder / "bin" / "python"), *PACKAGES[peer]]
        subprocess.run(command, check=True)
    return str(folder / "bin" / "python")


class Served:
    """A server process with its children."""

    def __init__(self, command: list[str], path: str, folder: Path, **environment: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.path = path
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        ours = {"PORT": str(self.port), "HOST": "127.0.0.1", "BENTOML_HOME": str(folder / "bento")}
        command = [str(self.port) if part == "PORT" else part for part in command]
        self.log = folder / f"log-{self.port}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env={**os.environ, **threads, **ours, **environment}, stdout=log, stderr=log
            )

    def wait(self) -> None:
        """Until it answers anything."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=1)
                except urllib.error.HTTPError as error:
                    if error.code == 503:
                        continue
                return
            time.sleep(0.1)
        raise RuntimeError(f"did not start: {self.log.read_text()[-2000:]}")

    def family(self) -> list[psutil.Process]:
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def cpu(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.family())

    def memory(self) -> float:
        """Resident MB."""
        return sum(process.memory_info().rss for process in self.family()) / 1e6

    def stop(self) -> None:
        family = self.family()
        self.process.terminate()
        _, alive = psutil.wait_procs(family, timeout=15)
        for process in alive:
            process.kill()


def commands(model: Model, peers: list[str], folder: Path) -> dict[str, Served]:
    """Start all servers for one model."""
    servers = {}
    for form, there in model.forms.items():
        ours = {"MODEL_URI": there.uri, "MODEL_DIGEST": there.digest, "DRAIN_SECONDS": "0"}
        servers[form] = Served([sys.executable, "-m", "assay_serving"], "/predict", folder, **ours)
    for peer in peers:
        command = [python_of(peer), str(PARTS / "peers.py"), peer, "PORT", str(model.joblib)]
        servers[peer] = Served(command, "/v2/models/peer/infer" if peer == "kserve" else "/predict", folder)
    return servers


def body(peer: str, rows: int) -> bytes:
    """Return a request in the peer's words."""
    rng = random.Random(0)
    values = [[round(rng.gauss(0, 1), 4) for _ in FEATURES] for _ in range(rows)]
    named: Any = {"rows": [dict(zip(FEATURES, row, strict=True)) for row in values]}
    if peer == "kserve":
        flat = [value for row in values for value in row]
        named = {"inputs": [{"name": "x", "shape": [rows, 20], "datatype": "FP64", "data": flat}]}
    return json.dumps({"body": named} if peer == "bentoml" else named).encode()


@contextlib.contextmanager
def running(servers: dict[str, Served]) -> Iterator[None]:
    """Wait for all; stop all."""
    try:
        for server in servers.values():
            server.wait()
        yield
    finally:
        for server in servers.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                server.stop()


def measure(server: Served, file: Path, connections: int, seconds: float) -> dict[str, float]:
    """Load one server."""
    before = server.cpu()
    command = [sys.executable, str(PARTS / "load.py"), str(server.port), server.path, str(file)]
    done = subprocess.run(
        [*command, str(connections), str(seconds)], capture_output=True, text=True, check=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    result["cpu_us"] = 1e6 * (server.cpu() - before) / max(1.0, result["requests"])
    return result


def compare(model: Model, peers: list[str], rounds: int, seconds: float, folder: Path) -> None:
    """Print medians of one model."""
    servers = commands(model, peers, folder)
    with running(servers):
        for rows, connections in SHAPES:
            for name in servers:
                (folder / name).write_bytes(body(name, rows))
                measure(servers[name], folder / name, connections, 0.3)
            runs = defaultdict(list)
            for _ in range(rounds):
                for name in random.sample(list(servers), len(servers)):
                    runs[name].append(measure(servers[name], folder / name, connections, seconds))
            report(model.name, rows, connections, runs)
        print({name: f"{server.memory():.0f} MB" for name, server in servers.items()}, flush=True)


def report(model: str, rows: int, connections: int, runs: dict[str, list[dict[str, float]]]) -> None:
    """Print the medians, and the ratios to FastAPI."""
    print(f"\n{model}, {rows} row(s), {connections} connection(s)")
    middle = {
        name: {key: statistics.median(run[key] for run in many) for key in many[0]}
        for name, many in runs.items()
    }
    base = middle.get("fastapi")
    for name, m in middle.items():
        line = f"  {name:12s} {m['rate']:7.0f}/s  p50 {m['p50_ms']:8.2f}  p99 {m['p99_ms']:8.2f} ms"
        line += f"  CPU {m['cpu_us']:7.0f} us  errors {sum(run['errors'] for run in runs[name]):.0f}"
        if base:
            line += f"  rate x{m['rate'] / base['rate']:.1f}  CPU 1/{base['cpu_us'] / m['cpu_us']:.1f}"
        bar = BARS.get((model, name)) if (rows, connections) == (1, 16) else None
        print(line + (f"  (bar {bar})" if bar else ""), flush=True)


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default="fastapi,bentoml")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        for model in models(folder):
            compare(model, options.peers.split(","), options.rounds, options.seconds, folder)


if __name__ == "__main__":
    main()
