"""One API server without nodes for all tests here, and namespaces of the tests' own."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from ads_client import FollowingGateway
from api_objects import Objects, connect, ensure_namespace, install_crds, namespace
from operator_process import SYSTEM, OperatorProcess, alive, collector, operator

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "support"), str(HERE.parents[1] / "hack")]

from api_server import ApiServer  # noqa: E402  found by the line above
from cluster import control_plane  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs an API server."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.cluster)


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
    with ExitStack() as stack:
        yield lambda: stack.enter_context(namespace(api_server.client))


@pytest.fixture(scope="module")
def gateway_and_operator(
    api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FollowingGateway, OperatorProcess]]:
    """The operator with its collector, for all namespaces, and a gateway that takes what it publishes."""
    folder = tmp_path_factory.mktemp("operated")
    counts = collector(folder)
    process = operator(api_server.kubeconfig, folder, f"http://127.0.0.1:{counts.port}")
    with alive(counts, process), FollowingGateway(process.xds_port) as gateway:
        yield gateway, process


@pytest.fixture
def operated(gateway_and_operator: tuple[FollowingGateway, OperatorProcess]) -> OperatorProcess:
    """An operator that runs, whatever earlier tests did to it."""
    _, process = gateway_and_operator
    if not process.is_alive():
        process.stop()
        process.start()
    return process


@pytest.fixture
def gateway(gateway_and_operator: tuple[FollowingGateway, OperatorProcess]) -> FollowingGateway:
    """What the operator has published is in force here."""
    return gateway_and_operator[0]
