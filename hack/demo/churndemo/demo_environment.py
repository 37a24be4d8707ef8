"""The house of the story: a cluster, Assay in it, a lake with data, and the ways to all of them."""

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cluster.settings import BIN, Cluster

from churndemo.client import Target
from churndemo.kubectl import Kubectl, KubectlError

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/churn"
NAMESPACE, SYSTEM, RELEASE = "demo", "assay-system", "assay"
CONFIG_MAP_LIMIT = 1_000_000
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


@dataclass(frozen=True)
class DemoEnvironment:
    """A cluster that is up, and where its parts are."""

    cluster: Cluster
    kubectl: Kubectl

    @property
    def has_own_network(self) -> bool:
        """Whether Services can be reached by entering the cluster's network namespace."""
        return self.cluster.netns.exists() and os.geteuid() == 0

    @contextlib.asynccontextmanager
    async def door(self, service: str, namespace: str, port: int) -> AsyncIterator[Target]:
        """Yield where a Service is reached from here: its own address, or a port forwarded to it."""
        if self.has_own_network:
            address = await self.kubectl.cluster_ip(service, namespace)
            yield Target(f"http://{address}:{port}", namespace=self.cluster.netns)
        else:
            async with self._forward(service, namespace, port) as url:
                yield Target(url)

    @contextlib.asynccontextmanager
    async def endpoint(self, model: str) -> AsyncIterator[Target]:
        """Yield where users reach a Model: its endpoint Service, or else the gateway that stands behind it.

        A port can't be forwarded to an alias: there the gateway is asked, by host.
        """
        host = f"{model}.{NAMESPACE}"
        if self.has_own_network:
            async with self.door(model, NAMESPACE, 80) as target:
                yield target._replace(host=host)
        else:
            async with self.door(f"{RELEASE}-gateway", SYSTEM, 80) as target:
                yield target._replace(host=host)

    @contextlib.asynccontextmanager
    async def _forward(self, service: str, namespace: str, port: int) -> AsyncIterator[str]:
        words = ("port-forward", "-n", namespace, f"service/{service}", f":{port}", "--address", "127.0.0.1")
        process = await asyncio.create_subprocess_exec(
            self.kubectl.program,
            *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self.kubectl.environment,
        )
        assert process.stdout is not None
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
        try:
            if not (found := _FORWARDING.search(line)):
                raise KubectlError(f"no forward to {service}: {line.strip()}")
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    async def furnish(self, data: Path) -> None:
        """Make the namespace and the lake that serves the training rows."""
        rows = (data / "churn.csv").read_text()
        await self.kubectl.apply_file(EXAMPLE / "namespace.yaml")
        trainer = await self._trainer_image()
        lake = [
            _with_image(thing, trainer) for thing in yaml.safe_load_all((EXAMPLE / "lake.yaml").read_text())
        ]
        await self.kubectl.apply(_config_map("lake", {"churn.csv": rows}), *lake)
        await self.kubectl("rollout", "status", "-n", NAMESPACE, "deployment/lake", "--timeout=90s")

    async def _trainer_image(self) -> str:
        """Return the image that the operator trains with; it is there, and it has a Python."""
        operator = await self.kubectl.get("deployment", f"{RELEASE}-operator", SYSTEM)
        containers = operator["spec"]["template"]["spec"]["containers"]
        known = {e["name"]: e.get("value", "") for c in containers for e in c.get("env", [])}
        return str(known["ASSAY_TRAINER_IMAGE"])

    async def explain(self, path: Path) -> Path:
        """Write down what the cluster knows about a story that went wrong; return where."""
        parts = [
            ("get", "models,modelversions,experiments,pods,jobs", "-n", NAMESPACE, "-o", "wide"),
            ("get", "models,modelversions,experiments", "-n", NAMESPACE, "-o", "yaml"),
            ("get", "events", "-n", NAMESPACE, "--sort-by=.lastTimestamp"),
            ("get", "pods", "-n", SYSTEM, "-o", "wide"),
            ("logs", "-n", SYSTEM, f"deployment/{RELEASE}-operator", "--tail=300"),
        ]
        sections = [f"$ kubectl {' '.join(words)}\n{await self._output(words)}" for words in parts]
        await asyncio.to_thread(path.write_text, "\n".join(sections))
        return path

    async def _output(self, words: tuple[str, ...]) -> str:
        try:
            return await self.kubectl(*words)
        except KubectlError as error:
            return f"{error}\n"

    async def clear(self) -> None:
        """Remove what an earlier run has left in this cluster."""
        await self.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s")


def environment(name: str) -> DemoEnvironment:
    """Return the house in the cluster of this name, which must be up."""
    cluster = Cluster(name)
    return DemoEnvironment(cluster, Kubectl(cluster.kubeconfig, tool("kubectl")))


def tool(name: str) -> str:
    """Return the cluster's own copy of a program, or the one of PATH."""
    return str(BIN / name) if (BIN / name).exists() else shutil.which(name) or name


def _config_map(name: str, files: dict[str, str]) -> dict[str, Any]:
    size = sum(map(len, files.values()))
    if size > CONFIG_MAP_LIMIT:
        raise ValueError(f"{name}: {size} bytes don't fit into a ConfigMap, {CONFIG_MAP_LIMIT} do")
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files}


def _with_image(thing: dict[str, Any], image: str) -> dict[str, Any]:
    if thing["kind"] == "Deployment":
        for container in thing["spec"]["template"]["spec"]["containers"]:
            container["image"] = image
    return thing
