"""An API server without nodes: etcd, kube-apiserver and the controllers of deletion, on loopback.

Objects, admission, watches and garbage collection are real; nothing runs pods. It needs neither root nor a
network namespace, and is ready in about 3 s.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import components, gobuild, pki, ports, tools
from .api import Api
from .daemon import Daemon, stop
from .progress import step
from .settings import Cluster
from .shell import Failed
from .wait import until

CONTROLLERS = "controller-manager"
STOP_ORDER = (CONTROLLERS, "apiserver", "etcd")


def up(cluster: Cluster, *, controllers: bool = True, bound: bool = False) -> None:
    """Start it, or what is missing of it, and wait until it answers; idempotent.

    Args:
        cluster: its state has certificates, store and logs.
        controllers: run garbage collection and the deletion of namespaces too.
        bound: its processes end with this program's main thread, however that ends.

    Raises:
        Failed: a part did not come up; the message has the end of its log.
    """
    kube = prepare()
    chosen = _configure(cluster)
    lines = components.control_plane(cluster, kube, chosen)
    with step(f"control plane {cluster.name}", "about 3 s"):
        for name, line in lines.items():
            if name != CONTROLLERS:
                Daemon(name, cluster.state).start((*_tie(bound=bound), *line))
        _wait(cluster, chosen.api)
        if controllers:
            Daemon(CONTROLLERS, cluster.state).start((*_tie(bound=bound), *lines[CONTROLLERS]))


def prepare() -> Path:
    """The binary, built if need be, and openssl for the certificates."""
    if not shutil.which("openssl"):
        tools.install_packages()
    return gobuild.kube()


def down(cluster: Cluster) -> None:
    """Stop its processes by their saved pids; idempotent.

    Raises:
        Failed: a process survived SIGKILL.
    """
    stop(daemons(cluster))


def daemons(cluster: Cluster) -> list[Daemon]:
    """Its processes, in the order in which they stop."""
    return [Daemon(name, cluster.state) for name in STOP_ORDER]


@contextmanager
def running(*, controllers: bool = True) -> Iterator[Cluster]:
    """Run one for a `with` block, with a state of its own that is removed afterwards.

    Raises:
        Failed: it did not come up, or a process could not be stopped.
    """
    with tempfile.TemporaryDirectory(prefix="assay-api-") as home:
        cluster = Cluster(f"api-{os.getpid()}", Path(home))
        try:
            up(cluster, controllers=controllers, bound=True)
            yield cluster
        finally:
            down(cluster)


def _configure(cluster: Cluster) -> components.Ports:
    (cluster.state / "run").mkdir(parents=True, exist_ok=True)
    alive = {name: Daemon(name, cluster.state).pid() is not None for name in STOP_ORDER}
    chosen = components.Ports(
        api=ports.keep(cluster.state / "port", in_use=alive["apiserver"]),
        store=ports.keep(cluster.state / "etcd.port", in_use=alive["etcd"]),
        peer=ports.keep(cluster.state / "etcd-peer.port", in_use=alive["etcd"]),
    )
    pki.create(cluster.state / "pki")
    pki.write_kubeconfigs(cluster, chosen.api)
    return chosen


def _wait(cluster: Cluster, port: int) -> None:
    api = Api(cluster, port)

    def answers() -> bool:
        for daemon in daemons(cluster)[1:]:
            if daemon.is_gone():
                raise Failed(f"{daemon.name} ended:\n{daemon.last_words()}")
        return api.ready()

    until(answers, f"the API server on port {port} (log: {cluster.logs}/apiserver.log)", 90, pause=0.05)


def _tie(*, bound: bool) -> tuple[str, ...]:
    """The kernel ends a bound process with its parent, also after a kill -9."""
    return ("setpriv", "--pdeathsig", "TERM", "--") if bound and shutil.which("setpriv") else ()
