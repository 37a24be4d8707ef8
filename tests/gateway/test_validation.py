"""Envoy refuses routes to clusters that are not there, in a tree as elsewhere: they would answer 503."""

import copy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay_operator.gateway import Edge, Shadow, listeners, resources

NAMES = (
    "demo/churn/champion@v1",
    "demo/churn/control@v1~champion",
    "demo/churn/boosted@v2~champion",
    "demo/churn/_shadow@v2",
)


def static(route: Any, without: str) -> dict[str, Any]:
    """Return what a Model adds to a gateway as a configuration that needs no operator, less one cluster."""
    rendered = resources(route)
    (listener,) = listeners(Edge(port=0, host="127.0.0.1", log_path="/dev/null"))
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["scoped_routes"]
    manager["route_config"] = rendered.routes
    assignments = {assignment["cluster_name"]: assignment for assignment in rendered.assignments}
    clusters = []
    for cluster in copy.deepcopy(rendered.clusters):
        if cluster.pop("eds_cluster_config", None):
            cluster |= {"type": "STATIC", "load_assignment": assignments[cluster["name"]]}
        clusters += [cluster] if cluster["name"] != without else []
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


@pytest.mark.parametrize("without", ["", *NAMES], ids=lambda name: name.rpartition("/")[2] or "nothing")
def test_a_cluster_that_is_missing_is_noticed(lab: Any, tmp_path: Path, without: str) -> None:
    v1, v2 = (lab.Backend(name, (lab.Endpoint("127.0.0.1", 3000),)) for name in ("v1", "v2"))
    route = lab.churn(v1, lab.split({"control": v1, "boosted": v2}), shadow=Shadow(v2))
    file = tmp_path / "envoy.yaml"
    file.write_text(yaml.safe_dump(static(route, without)))
    command = [lab.ENVOY, "--mode", "validate", "-c", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (without == ""), done.stderr[-500:]
    assert without in done.stderr
