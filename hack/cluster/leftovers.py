"""What a stopped node must not leave behind, and the cleaning of what the kernel lets one clean."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from . import cgroups, network
from .daemon import start_time
from .settings import Cluster
from .shell import run, works
from .wait import until

POD_LOG_LINKS = Path("/var/log/containers")


def clean(cluster: Cluster) -> None:
    """End pods that lost their runtime, unmount, unlink, remove cgroups and the network; idempotent."""
    _end(orphans(cluster))
    for mount in mounts(cluster):
        if not works("umount", mount):
            run("umount", "-l", mount)
    for link in log_links(cluster):
        link.unlink(missing_ok=True)
    cgroups.delete(cluster)
    network.delete(cluster)


def found(cluster: Cluster) -> list[str]:
    """A line for each thing that is still there; empty is what `down` promises."""
    return [
        *(f"process {pid}: {words}" for pid, words in processes(cluster)),
        *(f"mount {mount}" for mount in mounts(cluster)),
        *(f"log link {link}" for link in log_links(cluster)),
        *(f"cgroup {root}" for root in cgroups.delete(cluster) if root.name == cluster.name),
        *([f"network namespace {cluster.netns}"] if cluster.netns.exists() else []),
    ]


def orphans(cluster: Cluster) -> set[int]:
    """Shims of our runtime, and whoever is in our cgroups: a runtime that was killed forgets some."""
    shims = {pid for pid, words in processes(cluster) if "containerd-shim" in words.split(" ")[0]}
    return shims | cgroups.members(cluster)


def mounts(cluster: Cluster) -> list[str]:
    """Mount points under the cluster's state, innermost first."""
    points = [line.split()[1].encode().decode("unicode_escape") for line in _lines("/proc/mounts")]
    return [point for point in reversed(points) if point.startswith(f"{cluster.state}/")]


def log_links(cluster: Cluster) -> list[Path]:
    """The kubelet links container logs into /var/log/containers, whatever its `podLogsDir` says."""
    links = [p for p in POD_LOG_LINKS.glob("*.log") if p.is_symlink()]
    return [link for link in links if os.readlink(link).startswith(f"{cluster.state}/")]


def processes(cluster: Cluster) -> list[tuple[int, str]]:
    """Processes whose command line names the cluster's state, or that live in its network."""
    found = dict.fromkeys(network.processes(cluster), "in the cluster's network namespace")
    for folder in Path("/proc").glob("[0-9]*"):
        words = _command_line(folder)
        if f"{cluster.state}/" in words and int(folder.name) != os.getpid():
            found[int(folder.name)] = words.strip()[:200]
    return sorted(found.items())


def _end(pids: set[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not any(start_time(pid) for pid in pids), "the death of orphaned pods", 10, pause=0.02)


def _command_line(folder: Path) -> str:
    try:
        return (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
