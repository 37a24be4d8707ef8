"""Readiness without nodes: what the controllers of Deployments and EndpointSlices would write if pods ran."""

import asyncio
from dataclasses import dataclass, field

from .api import Api, Body

VERSION_LABEL = "assay.dev/version"
MODEL_LABEL = "assay.dev/model"
PORT = 3000


@dataclass
class Nodes:
    """Answers every predictor's Service with an endpoint, and every Deployment with ready pods."""

    api: Api
    _count: int = 0
    _served: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Watch for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow("/api/v1/services", self._endpoints))
            tasks.create_task(self._follow("/apis/apps/v1/deployments", self._pods))

    async def _follow(self, path: str, answer: object) -> None:
        queue: asyncio.Queue[Body] = asyncio.Queue()

        async def work() -> None:
            while True:
                await answer(await queue.get())  # type: ignore[operator]

        async with asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(work())
            async for kind, body in self.api.watch(path, MODEL_LABEL):
                if kind in {"ADDED", "MODIFIED"}:
                    queue.put_nowait(body)

    async def _endpoints(self, service: Body) -> None:
        metadata = service["metadata"]
        if not service["spec"].get("selector") or metadata["uid"] in self._served:
            return
        self._served.add(metadata["uid"])
        await self.api.create(
            f"/apis/discovery.k8s.io/v1/namespaces/{metadata['namespace']}/endpointslices",
            self._slice(metadata),
        )

    def _slice(self, service: Body) -> Body:
        self._count += 1
        owner = {"apiVersion": "v1", "kind": "Service", "name": service["name"], "uid": service["uid"]}
        address = f"10.{self._count >> 16 & 255}.{self._count >> 8 & 255}.{self._count & 255}"
        return {
            "metadata": {
                "name": f"{service['name']}-fake",
                "labels": service["labels"] | {"kubernetes.io/service-name": service["name"]},
                "ownerReferences": [owner],
            },
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": PORT, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True, "serving": True}}],
        }

    async def _pods(self, deployment: Body) -> None:
        metadata, wanted = deployment["metadata"], deployment["spec"].get("replicas", 1)
        status = {"observedGeneration": metadata["generation"]}
        status |= dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), wanted)
        if deployment.get("status") != status:
            path = f"/apis/apps/v1/namespaces/{metadata['namespace']}/deployments/{metadata['name']}/status"
            await self.api.merge(path, {"status": status})
