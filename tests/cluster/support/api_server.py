"""What tests get of the API server."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kubernetes import aio
from kubernetes.aio.dynamic import DynamicClient as AsyncDynamicClient
from kubernetes.dynamic import DynamicClient


@dataclass(frozen=True)
class ApiServer:
    """A real API server with Assay's kinds; nothing runs pods.

    Attributes:
        kubeconfig: Of an administrator.
        client: Synchronous, dynamic: `client.resources.get(api_version=..., kind=...)`.
    """

    kubeconfig: Path
    client: DynamicClient

    def connected(self) -> AbstractAsyncContextManager[AsyncDynamicClient]:
        """Return an asynchronous client for an `async with` block."""
        return _connected(self.kubeconfig)


@asynccontextmanager
async def _connected(kubeconfig: Path) -> AsyncIterator[AsyncDynamicClient]:
    settings = aio.client.Configuration()
    await aio.config.load_kube_config(str(kubeconfig), client_configuration=settings)
    async with aio.client.ApiClient(settings) as api:
        yield await AsyncDynamicClient(api)
