"""CPU time that Envoy spends on a request: a bare route, a Model's route, the split; with the log or not.

Run: `python benchmarks/gateway_cpu.py [--rounds 7]`. "Plain Envoy route" has two meanings; both are printed:
the same listener and filters with a Model that runs no Experiment (what the split itself costs; bar <= 1.1),
and one bare route without any filter (what a gateway does for every request as well). The JSON log, which a
bare Envoy does not write, stands apart.
All listeners are in one Envoy with one worker, and take turns, so that a busy moment hits all of them.
"""

import argparse
import copy
import os
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway_bench import laboratory, run, static_envoy, upstreams

from assay_operator.gateway import Edge, listeners, resources

lab = laboratory()
REQUESTS = 8_000
RATIOS = (
    ("the split against the same listener without one", "split", "model"),
    ("the same, both with the log", "split+log", "model+log"),
    ("the split and all filters against one bare route", "split", "bare"),
    ("the filters alone against one bare route", "model", "bare"),
    ("what the log adds to the split", "split+log", "split"),
)


def clusters(backends: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the clusters of a Model with an Experiment, with their endpoints inside."""
    rendered = resources(route(backends, split=True))
    assignments = {assignment["cluster_name"]: assignment for assignment in rendered.assignments}
    found = []
    for cluster in copy.deepcopy(rendered.clusters):
        if cluster.pop("eds_cluster_config", None):
            cluster |= {"type": "STATIC", "load_assignment": assignments[cluster["name"]]}
        found.append(cluster)
    return found


def route(backends: Mapping[str, Any], *, split: bool) -> Any:
    """Return a Model, in the middle of an Experiment or not."""
    arms = {"control": backends["v1"], "boosted": backends["v2"]}
    return lab.churn(backends["v1"], lab.split(arms, 50) if split else None)


def edge(port: int, log: Path, table: dict[str, Any], *, logged: bool) -> dict[str, Any]:
    """Return the gateway's listener with its routes inside."""
    (found,) = listeners(Edge(port=port, host="127.0.0.1", log_path=str(log)))
    found["name"] = f"edge-{port}"
    manager = found["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["scoped_routes"]
    manager["route_config"] = table
    if not logged:
        del manager["access_log"]
    return found


def bare(port: int, cluster: str) -> dict[str, Any]:
    """Return the least that Envoy can do: one route, no filter but the router."""
    found = edge(port, Path("/dev/null"), {}, logged=False)
    manager = found["filter_chains"][0]["filters"][0]["typed_config"]
    match = {"match": {"prefix": "/"}, "route": {"cluster": cluster}}
    host = {"name": "bare", "domains": ["*"], "routes": [match]}
    kept = {key: manager[key] for key in ("@type", "stat_prefix")}
    found["filter_chains"][0]["filters"][0]["typed_config"] = {
        **kept,
        "http_filters": manager["http_filters"][-1:],
        "route_config": {"virtual_hosts": [host]},
    }
    return found


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(rounds: int) -> None:
    """Interleave the listeners, and compare within each round."""
    with tempfile.TemporaryDirectory() as name, upstreams(lab, Path(name), "v1", "v2") as backends:
        folder = Path(name)
        plain, split = (resources(route(backends, split=on)).routes for on in (False, True))
        ports = {case: lab.free_port() for case in ("bare", "model", "split", "model+log", "split+log")}
        listeners = [
            bare(ports["bare"], "demo/churn/champion@v1"),
            edge(ports["model"], folder / "log", plain, logged=False),
            edge(ports["split"], folder / "log", split, logged=False),
            edge(ports["model+log"], folder / "log", plain, logged=True),
            edge(ports["split+log"], folder / "log", split, logged=True),
        ]
        measured: dict[str, list[float]] = {case: [] for case in ports}
        with static_envoy(
            lab, folder, "edge", {"listeners": listeners, "clusters": clusters(backends)}
        ) as envoy:
            for turn in range(rounds + 1):
                for case, port in ports.items():
                    before = cpu_seconds(envoy.pid)
                    run(port, REQUESTS)
                    if turn:  # the first one warms up
                        measured[case].append((cpu_seconds(envoy.pid) - before) / REQUESTS * 1e6)
    for case, values in measured.items():
        spread = f"{min(values):.1f} to {max(values):.1f}"
        print(f"{case:10s} {statistics.median(values):5.1f} us a request ({spread})")
    for meaning, a, b in RATIOS:
        ratios = [x / y for x, y in zip(measured[a], measured[b], strict=True)]
        print(f"{meaning}: {a} / {b}, median {statistics.median(ratios):.2f} of {len(ratios)} rounds")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    main(parser.parse_args().rounds)
