"""A namespace of one test: its Models and Experiments, and the users who call them."""

import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import load
from churndemo.client import Target
from churndemo.customers import Customer, read
from cluster_fixture import SYSTEM, ClusterFixture, Json

DECISION = {"minDuration": "1s", "maxDuration": "10m"}
ERRORS = {"name": "errors", "margin": {"absolute": 0.05}}
SAFE = {"guardrails": [ERRORS]}
CORRECT = {"name": "correct", "missing": "Ignore"}


@dataclass
class NamespaceFixture:
    """Everything a test does in its own namespace."""

    cluster: ClusterFixture
    name: str
    customers_file: Path

    @cached_property
    def customers(self) -> list[Customer]:
        """Held-out customers, as rows to ask about."""
        return list(read(self.customers_file))

    def model(self, source: str | Json, name: str = "churn", **spec: Any) -> Json:
        """Return a Model that serves one of the cluster's versions, or any source."""
        what = self.cluster.sources[source] if isinstance(source, str) else source
        rollout = {"strategy": "Replace", "rollbackWindow": "20s"}
        serving = {"timeout": "3s"}  # so that units settle, and the split can be judged, within seconds
        return self._thing("Model", name, {"rollout": rollout, "serving": serving} | what | spec)

    def experiment(self, control: str, candidate: str, name: str = "exp", **spec: Any) -> Json:
        """Return an Experiment of two versions, at once on half of all units."""
        arms = [
            {"name": "control", "version": control, "weight": 50},
            {"name": "candidate", "version": candidate, "weight": 50},
        ]
        usual = {
            "arms": arms,
            "ramp": [{"percent": 50}],
            "metrics": SAFE,
            "decision": DECISION | {"minDuration": "1h", "maxDuration": "2h"},
        }
        return self._thing("Experiment", name, {"modelRef": {"name": "churn"}} | usual | spec)

    def _thing(self, kind: str, name: str, spec: Json) -> Json:
        metadata = {"name": name, "namespace": self.name}
        return {"apiVersion": "assay.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}

    def two_versions(self) -> tuple[str, str]:
        """Make a Model with two versions; the first is the champion, the second has passed and waits."""
        keep = {"strategy": "Replace", "rollbackWindow": "1h"}
        self.cluster.apply(self.model("plain", rollout=keep))
        self.champion("churn-1")
        rollout = {
            "strategy": "Experiment",
            "rollbackWindow": "1h",
            "experiment": {"metrics": SAFE, "decision": DECISION},
        }
        self.cluster.apply(self.model("boosted", rollout=rollout))
        self.experiment_phase("churn-2-g2", "Pending", "Running")
        self.cluster.kubectl("delete", "aexp", "churn-2-g2", "-n", self.name)
        return "churn-1", "churn-2"

    def challenged(self, source: str, template: Json, window: str = "20s") -> None:
        """Make a champion, and a running Experiment of the Model's own in which `source` challenges it."""
        self.cluster.apply(self.model("plain"))
        self.champion("churn-1")
        rollout = {"strategy": "Experiment", "rollbackWindow": window, "experiment": template}
        self.cluster.apply(self.model(source, rollout=rollout))
        self.running("churn-2-g2", patience=90)

    def champion(self, version: str, patience: float = 60) -> Json:
        """Wait until this version serves and the gateways know it."""

        def serves(status: Json) -> bool:
            ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))
            return ready and status.get("champion") == version

        return self.cluster.until("amodel", "churn", self.name, serves, patience)

    def experiment_phase(self, name: str, *phases: str, patience: float = 60) -> Json:
        """Wait until the Experiment is in one of these phases."""
        return self.cluster.until("aexp", name, self.name, lambda s: s.get("phase") in phases, patience)

    def running(self, name: str = "exp", patience: float = 60) -> Json:
        """Wait until every gateway has the Experiment's table."""

        def programmed(status: Json) -> bool:
            flags = {c["type"]: c["status"] for c in status.get("conditions", [])}
            return status.get("phase") == "Running" and flags.get("Programmed") == "True"

        return self.cluster.until("aexp", name, self.name, programmed, patience)

    def target(self, name: str = "churn") -> Target:
        """Return where users reach the Model: its own Service."""
        address = self.cluster.address(name, self.name)
        return Target(f"http://{address}", host=f"{name}.{self.name}", namespace=self.cluster.settings.netns)

    @asynccontextmanager
    async def users(self, **how: Any) -> AsyncIterator[load.Traffic]:
        """Yield steady traffic of the held-out customers."""
        asks = [(c.id, c.row) for c in self.customers]
        async with load.users(self.target(), asks, **how) as traffic:
            yield traffic

    def uid(self, name: str = "exp") -> str:
        """Return the identity of an Experiment: its salt."""
        found = self.cluster.get("aexp", name, self.name)
        assert found is not None
        return str(found["metadata"]["uid"])

    def collector(self, path: str, role: str, body: Any = None) -> Any:
        """Ask the collector, from inside the cluster's network."""
        return self.post("assay-collector", 8080, path, self.cluster.token(role), body)

    def post(self, service: str, port: int, path: str, token: str, body: Any = None) -> Any:
        """Call a Service of the installation; raise urllib.error.HTTPError for a refusal."""
        url = f"http://{self.cluster.address(service, SYSTEM)}:{port}{path}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(
            url, data=data, headers={"authorization": f"Bearer {token}", "content-type": "application/json"}
        )
        with self.cluster.inside(), urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")
