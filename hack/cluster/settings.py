"""Where everything of a cluster lives, and the addresses inside it: every other module asks here."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

HACK = Path(__file__).resolve().parent.parent
REPOSITORY = HACK.parent
SOURCES = HACK / "cluster"

HOME = Path(os.environ.get("ASSAY_HOME") or Path.home() / ".cache" / "assay")
"""Shared by all clusters: binaries, images, logs of the builds. `ASSAY_HOME` moves it."""
BIN = HOME / "bin"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

NODE = "node0"
NODE_IP = "10.200.0.1"
GATEWAY_IP = "10.200.0.254"
SERVICES = "10.201.0.0/24"
MANY_SERVICES = "10.201.0.0/16"
"""Of an API server without nodes: thousands of objects cost nothing there."""
API_SERVICE_IP = "10.201.0.1"
PODS = "10.202.0.0/20"
API_PORT = 6443
PAUSE_IMAGE = "localhost/assay-pause:1"


@dataclass(frozen=True)
class Cluster:
    """A named cluster and the paths that are its own; two share `HOME`'s binaries and images only.

    Raises:
        ValueError: the name cannot name a network namespace, a cgroup and a folder.
    """

    name: str
    home: Path = HOME

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,29}", self.name):
            raise ValueError(
                f"cluster name {self.name!r}: up to 30 lower-case letters, digits and '-', a letter first"
            )

    @property
    def state(self) -> Path:
        """Certificates, etcd, containerd, kubelet and volumes; gone after `down --wipe`."""
        return self.home / "clusters" / self.name

    @property
    def netns(self) -> Path:
        """The network namespace that all processes of the node live in."""
        return Path("/run/netns") / self.name

    @property
    def kubeconfig(self) -> Path:
        """For people and tests: the API server on loopback of the ordinary network."""
        return self.state / "kubeconfig"

    @property
    def provider_file(self) -> Path:
        """Names the provider that brought the cluster up, so that `down` asks the same one."""
        return self.state / "provider"

    @property
    def containerd_socket(self) -> Path:
        """Each cluster has its own containerd, and with it its own image store."""
        return self.state / "containerd.sock"

    @property
    def logs(self) -> Path:
        """One file for each process of the node."""
        return self.state / "logs"
