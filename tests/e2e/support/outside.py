"""What Assay asks and does not own: a shop that counts, its Prometheus, and a warehouse on PostgreSQL.

Each is a real process in the cluster's network, which pods reach by the name of a Service. So a test can
stop, freeze and replace it, as happens to such servers.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import debian
from cluster.settings import NODE_IP
from cluster_fixture import ClusterFixture, Json, wait

NAMESPACE = "outside"
PROMETHEUS, POSTGRESQL, SHOP = 9090, 5432, 9100
PROMETHEUS_URL = f"http://prometheus.{NAMESPACE}:{PROMETHEUS}"
WAREHOUSE_SECRET = "warehouse"
CONFIGURATION = f"""
global: {{scrape_interval: 1s}}
scrape_configs: [{{job_name: shop, static_configs: [{{targets: ["{NODE_IP}:{SHOP}"]}}]}}]
"""


def services() -> list[Json]:
    """Return what gives the servers names in the cluster."""
    named = [
        part
        for name, port in (("prometheus", PROMETHEUS), ("warehouse", POSTGRESQL))
        for part in _service(name, port)
    ]
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, *named]


def _service(name: str, port: int) -> Iterator[Json]:
    metadata = {"name": name, "namespace": NAMESPACE}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": port}]}}
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata | {"labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [NODE_IP]}],
        "ports": [{"name": "", "port": port}],
    }


class Web:
    """An HTTP server in the cluster's network that answers whoever asks with what `say` returns."""

    def __init__(self, cluster: ClusterFixture, port: int, status: int = 200) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = outer.say().encode()
                self.send_response(status)
                self.send_header("content-type", "text/plain")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        with cluster.inside():
            self._server = ThreadingHTTPServer((NODE_IP, port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def say(self) -> str:
        return "out of order"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Shop(Web):
    """Counts visitors of each arm and those of them who ordered; text, so that a count may be no number."""

    def __init__(self, cluster: ClusterFixture) -> None:
        self.counts: Mapping[str, tuple[str, str]] = {}
        self.experiment = ""
        super().__init__(cluster, SHOP)

    def say(self) -> str:
        lines = [
            f'shop_{name}_total{{experiment="{self.experiment}",arm="{arm}"}} {count}'
            for arm, counts in self.counts.items()
            for name, count in zip(("visitors", "orders"), counts, strict=True)
        ]
        return "\n".join([*lines, ""])


class Prometheus:
    """Debian's Prometheus, which scrapes the shop every second."""

    def __init__(self, cluster: ClusterFixture, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "prometheus.yml").write_text(CONFIGURATION)

    def start(self) -> None:
        enter = ["nsenter", f"--net={self.cluster.settings.netns}"]
        flags = [f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data"]
        listen = f"--web.listen-address={NODE_IP}:{PROMETHEUS}"
        command = [*enter, str(debian.prometheus() / "prometheus"), *flags, listen, "--log.level=error"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait(lambda: self.values("vector(1)") == ["1"], 60)

    def values(self, query: str) -> list[str]:
        """Ask what pods ask, from the node; nothing while it does not answer."""
        url = f"http://{NODE_IP}:{PROMETHEUS}/api/v1/query?query={urllib.parse.quote(query)}"
        try:
            with self.cluster.inside(), urllib.request.urlopen(url, timeout=5) as answer:
                found = json.load(answer)["data"]["result"]
        except OSError:
            return []
        return [series["value"][1] for series in found]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it accept connections, and say nothing."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def out_of_order(self) -> Iterator[None]:
        """Put in its place what answers 503, as the proxy before a Prometheus that died."""
        self.stop()
        proxy = Web(self.cluster, PROMETHEUS, 503)
        try:
            yield
        finally:
            proxy.close()
            self.start()

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None


class Warehouse:
    """A PostgreSQL with who had what refunded; `reader` may read it."""

    def __init__(self, cluster: ClusterFixture) -> None:
        self.cluster = cluster
        self.folder = Path(tempfile.mkdtemp(prefix="assay-warehouse-", dir="/tmp"))
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-D", f"{self.folder}/data", "-U", "postgres", "--auth=trust", "--no-sync")
        with (self.folder / "data/pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.0.0.0/8 scram-sha-256\n")
        self.start()
        self.query(
            "CREATE TABLE refunds (experiment text, arm text, refunded float8);"
            "CREATE ROLE reader LOGIN; GRANT SELECT ON refunds TO reader"
        )

    def url(self, password: str) -> str:
        return f"postgresql+psycopg://reader:{password}@warehouse.{NAMESPACE}:{POSTGRESQL}/postgres"

    def start(self) -> None:
        listen = f"-c listen_addresses={NODE_IP} -c unix_socket_directories={self.folder} -c fsync=off"
        self._control("-w", "-o", listen, "start")

    def stop(self) -> None:
        self._control("-m", "immediate", "stop")

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it accept connections, and say nothing."""
        pid = int((self.folder / "data/postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def query(self, text: str) -> None:
        self._run("psql", "-h", str(self.folder), "-U", "postgres", "-q", "-v", "ON_ERROR_STOP=1", "-c", text)

    def refunds(self, experiment: str, **counts: tuple[int, int]) -> None:
        """Replace the rows: of each arm, how many units there are and how many had a refund."""
        rows = " UNION ALL ".join(
            f"SELECT '{experiment}', '{arm}', (n <= {refunded})::int FROM generate_series(1, {units}) AS n"
            for arm, (units, refunded) in counts.items()
        )
        self.query(f"TRUNCATE refunds; INSERT INTO refunds {rows}")

    def _control(self, *words: str) -> None:
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", *words)

    def _run(self, *words: str) -> None:
        enter = ["nsenter", f"--net={self.cluster.settings.netns}"]
        command = [*enter, *debian.postgres_user(), *words]
        subprocess.run(
            command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
