"""A cgroup root for each cluster: two kubelets under one root clean up each other's pods."""

from pathlib import Path

from .settings import Cluster

ROOT = Path("/sys/fs/cgroup")


def create(cluster: Cluster) -> str:
    """Make the cluster's folder in every hierarchy and return the kubelet's `cgroupRoot`."""
    if (ROOT / "cgroup.controllers").exists():
        _delegate(ROOT)
        (ROOT / cluster.name).mkdir(exist_ok=True)
        _delegate(ROOT / cluster.name)
        return f"/{cluster.name}"
    for hierarchy in _hierarchies():
        (hierarchy / cluster.name).mkdir(exist_ok=True)
    return f"/{cluster.name}"


def members(cluster: Cluster) -> set[int]:
    """Every process in the cluster's folders: its pods', and nobody else's."""
    files = [path for root in _roots(cluster) for path in root.rglob("cgroup.procs")]
    return {int(pid) for path in files for pid in path.read_text().split()}


def delete(cluster: Cluster) -> list[Path]:
    """Remove the cluster's folders, deepest first; return those that are still in use."""
    return [folder for root in _roots(cluster) for folder in _remove(root)]


def _roots(cluster: Cluster) -> list[Path]:
    """Any folder of that name, not only ours: runc adds one where both versions are mounted."""
    return [root for root in (ROOT / cluster.name, *ROOT.glob(f"*/{cluster.name}")) if root.is_dir()]


def _remove(root: Path) -> list[Path]:
    folders = sorted((p for p in root.rglob("*") if p.is_dir()), key=lambda p: len(p.parts), reverse=True)
    stuck = []
    for folder in (*folders, root):
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            stuck.append(folder)
    return stuck


def _hierarchies() -> list[Path]:
    """Version 1 has one folder for each controller; links (cpu -> cpu,cpuacct) are the same folder again."""
    return [t.parent for t in sorted(ROOT.glob("*/tasks")) if not t.parent.is_symlink()]


def _delegate(folder: Path) -> None:
    """Version 2: let children use every controller this folder has."""
    for controller in (folder / "cgroup.controllers").read_text().split():
        try:
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError:  # not ours to give; the kubelet names the controller it misses
            continue
