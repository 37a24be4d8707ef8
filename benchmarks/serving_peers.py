"""The predictor against FastAPI with scikit-learn, BentoML, KServe and MLServer: interleaved rounds, medians.

Run: `python benchmarks/serving_peers.py` (8 minutes); `--peers fastapi,bentoml,kserve,mlserver`, `--rounds`.
Each peer gets an environment of its own below $ASSAY_HOME/bench (~/.cache/assay); one that can't be installed
is named and left out. Compare within one run only: load and servers share the machine. CPU is that of the
server and its children, per request. The last lines compare with the bars.

KServe's own sklearn server is no package that can be installed; its model server runs the same call here.
MLServer runs its scikit-learn runtime, in one process.
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
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import skops.io
from skl2onnx import to_onnx
from sklearn.datasets import make_classification

sys.path.insert(0, str(Path(__file__).parent / "serving_parts"))
from peers import fitted

from assay_artifact import Feature, Manifest, Written, write

sys.path.insert(0, str(Path(__file__).parents[1] / "hack"))
from cluster.settings import HOME
from cluster.wheels import uv

PARTS = Path(__file__).parent / "serving_parts"
FEATURES = [f"f{i}" for i in range(20)]
PACKAGES = {
    "fastapi": ["fastapi", "uvicorn[standard]", "joblib", "scikit-learn"],
    "kserve": ["kserve==0.21.0", "joblib", "scikit-learn"],
    "mlserver": ["mlserver==1.7.1", "mlserver-sklearn==1.7.1"],
}
PATHS = {"kserve": "/v2/models/peer/infer", "mlserver": "/v2/models/peer/infer"}
SHAPES = ((1, 1), (1, 16), (1, 64), (100, 16))  # rows in a request, connections
BARS = {
    ("logistic", "assay"): 3,
    ("forest", "assay"): 8,
    ("forest", "assay ONNX"): 50,
}  # times FastAPI's rate
OTHERS = 2  # times the rate of KServe and MLServer
SLOWER = 1.2  # times FastAPI's median at one connection
MEGABYTES = 120  # of a predictor with ONNX


Kept = dict[
    tuple[str, int, int], dict[str, dict[str, float]]
]  # medians by model, rows, connections and server


class Model(NamedTuple):
    """One model in all its forms."""

    name: str
    data: Path
    forms: dict[str, Written]


def models(folder: Path) -> list[Model]:
    """Fit a logistic regression and a forest, and write every form of them; the peers fit the same."""
    x, y = make_classification(4000, 20, n_informative=10, random_state=0)
    np.savez(folder / "data.npz", x=x, y=y)  # peers fit the same, each with its own scikit-learn
    made = []
    for name in ("logistic", "forest"):
        pipeline = fitted(folder / "data.npz", name)
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
        made.append(Model(name, folder / "data.npz", forms))
    return made


def onnx(pipeline: Any) -> bytes:
    """Convert to one input matrix."""
    graph = to_onnx(pipeline, np.zeros((1, 20), np.float32), options={id(pipeline): {"zipmap": False}})
    content: bytes = graph.SerializeToString()
    return content


def python_of(peer: str) -> str:
    """Return an interpreter that has the peer; make its environment if there is none.

    Raises:
        subprocess.CalledProcessError: It can't be installed here.
    """
    if peer == "bentoml":
        return sys.executable
    python = HOME / "bench" / f"{peer}-1" / "bin" / "python"
    if not (made := python.parents[1] / "made").exists():
        subprocess.run(
            [str(uv()), "venv", "-q", "--clear", "--python", "3.11", python.parents[1]], check=True
        )
        install = [str(uv()), "pip", "install", "-q", "--python", python, *PACKAGES[peer]]
        subprocess.run(install, check=True)
        made.touch()
    return str(python)


def installed(peers: list[str]) -> list[str]:
    """Return the peers that can be had; name the others."""
    found = []
    for peer in peers:
        try:
            python_of(peer)
        except subprocess.CalledProcessError as error:
            print(f"{peer} is left out: it can't be installed here ({error})", flush=True)
        else:
            found.append(peer)
    return found


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
        """Until it says that it is ready."""
        deadline = time.monotonic() + 120
        ready = "/v2/models/peer/ready" if self.path in PATHS.values() else "/readyz"
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):  # which an answer other than 200 is too
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}{ready}", timeout=1)
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
        command = [python_of(peer), str(PARTS / "peers.py"), peer, "PORT", str(model.data), model.name]
        servers[peer] = Served(command, PATHS.get(peer, "/predict"), folder)
    return servers


def body(peer: str, rows: int) -> bytes:
    """Return a request in the peer's words."""
    rng = random.Random(0)
    values = [[round(rng.gauss(0, 1), 4) for _ in FEATURES] for _ in range(rows)]
    named: Any = {"rows": [dict(zip(FEATURES, row, strict=True)) for row in values]}
    if peer in PATHS:
        flat = [value for row in values for value in row]
        matrix = {"name": "x", "shape": [rows, 20], "datatype": "FP64", "data": flat}
        named = {"id": "1", "inputs": [matrix]}
        if peer == "mlserver":
            matrix["parameters"] = {"content_type": "np"}
            named["outputs"] = [{"name": "predict_proba"}]
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


def compare(model: Model, peers: list[str], rounds: int, seconds: float, folder: Path) -> Kept:
    """Print and return medians of one model."""
    kept: Kept = {}
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
            kept[model.name, rows, connections] = medians(runs)
        for name, server in servers.items():
            kept[model.name, 1, 16][name]["MB"] = server.memory()
        print({name: f"{server.memory():.0f} MB" for name, server in servers.items()}, flush=True)
    return kept


def medians(runs: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Return the median of every figure, and all errors."""
    middle = {
        name: {key: statistics.median(run[key] for run in many) for key in many[0]}
        for name, many in runs.items()
    }
    for name, many in runs.items():
        middle[name]["errors"] = sum(run["errors"] for run in many)
    return middle


def judged(kept: Kept) -> None:
    """Print every bar, and whether it was reached."""
    for (model, form), bar in BARS.items():
        at, alone = kept[model, 1, 16], kept[model, 1, 1]
        for peer, times in {"fastapi": bar, "kserve": OTHERS, "mlserver": OTHERS}.items():
            if peer in at and at[peer]["errors"]:
                verdict(
                    f"{peer} had {at[peer]['errors']:.0f} errors: there is nothing to compare", reached=False
                )
            elif peer in at:
                rate, cpu = at[form]["rate"] / at[peer]["rate"], at[peer]["cpu_us"] / at[form]["cpu_us"]
                verdict(
                    f"{model}, {form}: rate x{rate:.1f} (CPU 1/{cpu:.1f}) of {peer}'s, bar {times}",
                    reached=rate >= times,
                )
        if "fastapi" in at:
            ours, theirs = at[form]["p99_ms"], at["fastapi"]["p99_ms"]
            verdict(f"{model}, {form}: p99 {ours:.2f} ms, FastAPI's {theirs:.2f}", reached=ours <= theirs)
            ours, theirs = alone[form]["p50_ms"], alone["fastapi"]["p50_ms"]
            bar_ms = SLOWER * theirs
            verdict(f"{model}, {form}: alone p50 {ours:.2f} ms, bar {bar_ms:.2f}", reached=ours <= bar_ms)
        if "ONNX" in form:
            verdict(
                f"{model}, {form}: {at[form]['MB']:.0f} MB, bar {MEGABYTES}",
                reached=at[form]["MB"] <= MEGABYTES,
            )


def verdict(what: str, *, reached: bool) -> None:
    """Print one bar."""
    print(f"{'reached' if reached else 'MISSED '}  {what}", flush=True)


def report(model: str, rows: int, connections: int, runs: dict[str, list[dict[str, float]]]) -> None:
    """Print the medians, and the ratios to FastAPI."""
    print(f"\n{model}, {rows} row(s), {connections} connection(s)")
    middle = medians(runs)
    base = middle.get("fastapi")
    for name, m in middle.items():
        line = f"  {name:12s} {m['rate']:7.0f}/s  p50 {m['p50_ms']:8.2f}  p99 {m['p99_ms']:8.2f} ms"
        line += f"  CPU {m['cpu_us']:7.0f} us  errors {m['errors']:.0f}"
        if base:
            line += f"  rate x{m['rate'] / base['rate']:.1f}  CPU 1/{base['cpu_us'] / m['cpu_us']:.1f}"
        bar = BARS.get((model, name)) if (rows, connections) == (1, 16) else None
        print(line + (f"  (bar {bar})" if bar else ""), flush=True)


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default="fastapi,bentoml,kserve,mlserver")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        peers, kept = installed(options.peers.split(",")), {}
        for model in models(folder):
            kept |= compare(model, peers, options.rounds, options.seconds, folder)
        judged(kept)


if __name__ == "__main__":
    main()
