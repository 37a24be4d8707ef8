"""The API server by plain HTTPS, for the few questions asked before kubectl is there."""

import http.client
import json
import ssl
from typing import Any

from .settings import Cluster

TIMEOUT = 5.0


class Api:
    """The administrator's connection through the loopback port."""

    def __init__(self, cluster: Cluster, port: int) -> None:
        pki = cluster.state / "pki"
        self._port = port
        self._tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")

    def ready(self) -> bool:
        """Whether /readyz says so."""
        return self._ask("GET", "/readyz")[0] == http.HTTPStatus.OK

    def get(self, path: str) -> dict[str, Any] | None:
        """The object, or None when it is not there (or the server is not yet able to say)."""
        status, body = self._ask("GET", path)
        return json.loads(body) if status == http.HTTPStatus.OK else None

    def create(self, path: str, body: str) -> bool:
        """Create unless it exists; whether it exists afterwards."""
        status, _ = self._ask("POST", path, body)
        return status in {http.HTTPStatus.CREATED, http.HTTPStatus.CONFLICT}

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=TIMEOUT, context=self._tls)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()
