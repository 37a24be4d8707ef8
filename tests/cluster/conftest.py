"""One API server without nodes for all tests here, and namespaces of the tests' own."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from api_objects import Objects, connect, ensure_namespace, install_crds, namespace
from kubernetes import aio
from kubernetes.aio.dynamic import DynamicClient as AsyncDynamicClient
from kubernetes.dynamic import DynamicClient
from operator_process import SYSTEM

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "hack"))

from cluster import control_plane  # noqa: E402  found by the line above


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs an API server."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.cluster)


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


@pytest.fixture(scope="session")
def api_server() -> Iterator[ApiServer]:
    """The server, with our kinds installed."""
    with control_plane.running() as cluster:
        client = connect(cluster.kubeconfig)
        install_crds(client)
        ensure_namespace(client, SYSTEM)
        yield ApiServer(cluster.kubeconfig, client)
        client.client.close()


@pytest.fixture
def objects(api_server: ApiServer) -> Iterator[Objects]:
    """The objects of a namespace that only this test has."""
    with namespace(api_server.client) as found:
        yield found


@pytest.fixture
def make_namespace(api_server: ApiServer) -> Iterator[Callable[[], Objects]]:
    """Make further namespaces of the test's own."""
    from contextlib import ExitStack  # noqa: PLC0415

    with ExitStack() as stack:
        yield lambda: stack.enter_context(namespace(api_server.client))
