"""/metrics for processes that serve nothing else over HTTP; that it answers is their sign of life."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server


@contextmanager
def metrics_server(port: int, registry: CollectorRegistry) -> Iterator[int]:
    """Serve a registry for the length of the block, and give the port, which the system chooses for 0.

    Raises:
        OSError: The port is taken.
    """
    server, thread = start_http_server(port, registry=registry)
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
