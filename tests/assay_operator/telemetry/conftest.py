"""A real Prometheus with a past: Debian's package, filled from OpenMetrics, on a port of its own."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import debian
import pytest

# units, events, sum of values, sum of squares; at the end of ten minutes
ARMS = {"control": (4000, 400, 8000.0, 24000.0), "boosted": (4100, 492, 8610.0, 26000.0)}
MINUTES, EVERY = 10, 15


def past(now: int) -> str:
    """Counters that grow evenly for ten minutes, as OpenMetrics."""
    times = range(now - MINUTES * 60, now + 1, EVERY)
    lines = []
    for at, name in enumerate(("units", "orders", "value", "squares")):
        lines.append(f"# TYPE {name} counter")
        for arm, ends in ARMS.items():
            for n, moment in enumerate(times):
                grown = ends[at] * n / (len(times) - 1)
                lines.append(f'{name}_total{{arm="{arm}",pod="a"}} {grown} {moment}')
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that knows the last ten minutes."""
    tools, folder = debian.prometheus(), tmp_path_factory.mktemp("prometheus")
    (folder / "past").write_text(past(int(time.time())))
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    tsdb = ["tsdb", "create-blocks-from", "openmetrics", str(folder / "past"), str(folder / "data")]
    subprocess.run([str(tools / "promtool"), *tsdb], check=True, stdout=subprocess.DEVNULL)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    flags = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    command = [
        str(tools / "prometheus"),
        *flags,
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait(f"http://127.0.0.1:{port}/-/ready", process)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def wait(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")
