"""The host's packages: what a single node needs from Debian, installed only where a program is missing."""

import os
import shutil
from pathlib import Path

from .progress import step
from .settings import HOME
from .shell import Failed, Refusal, environment, locked, run, works

PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
}
"""Program -> the Debian package that has it; plug-ins of the network have no program in PATH, see `CNI`."""
CNI = Path("/usr/lib/cni")
INSTEAD = "or use your own cluster with ASSAY_CLUSTER=current"


def need_root() -> None:
    """A single node makes namespaces, mounts and cgroups.

    Raises:
        Refusal: not root, or not Linux.
    """
    if os.uname().sysname != "Linux":
        raise Refusal(f"a single-node cluster needs Linux: start a container engine and kind, {INSTEAD}")
    if os.geteuid() != 0:
        raise Refusal(f"a single-node cluster needs root: use sudo -E, start an engine and kind, {INSTEAD}")


def need_namespaces() -> None:
    """Root in a locked-down container is not enough.

    Raises:
        Refusal: no network namespace or no mount can be made here.
    """
    if not works("unshare", "--net", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"):
        raise Refusal(
            "a single-node cluster makes network namespaces and mounts, and this root may not: "
            f"run the container privileged, {INSTEAD}"
        )


def missing_packages() -> list[str]:
    """Debian packages to install."""
    path = environment()["PATH"]
    missing = {package for program, package in PROGRAMS.items() if not shutil.which(program, path=path)}
    if not (CNI / "bridge").exists():
        missing.add("containernetworking-plugins")
    return sorted(missing)


def install_packages() -> None:
    """Install what is missing with apt, once.

    Raises:
        Refusal: no apt, or the mirror cannot be reached.
    """
    if not missing_packages():
        return
    need_root()
    if not shutil.which("apt-get"):
        raise Refusal(f"install {' '.join(missing_packages())} with your package manager, {INSTEAD}")
    with locked(HOME / "locks" / "apt"):
        if missing := missing_packages():
            with step(f"Debian packages {' '.join(missing)}", "about 20 s"):
                _apt(missing)


def _apt(packages: list[str]) -> None:
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    log = HOME / "logs" / "apt.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        run("apt-get", "update", "-qq", log=log, env=quiet)
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, log=log, env=quiet)
    except Failed as error:
        raise Refusal(
            f"apt cannot install {' '.join(packages)}: check its mirror, {INSTEAD}\n{error}"
        ) from error
