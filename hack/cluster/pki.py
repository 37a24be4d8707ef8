"""Certificates and kubeconfigs of a node, made once with openssl."""

import base64
from dataclasses import dataclass
from pathlib import Path

from .settings import API_PORT, API_SERVICE_IP, NODE, NODE_IP, Cluster
from .shell import run

DAYS = "3650"
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Identity:
    """Who a certificate speaks for: an openssl subject, and the names it serves under."""

    name: str
    subject: str
    names: str = "DNS:localhost"


_API_NAMES = ",".join(
    [f"DNS:kubernetes{end}" for end in ("", ".default", ".default.svc", ".default.svc.cluster.local")]
    + ["DNS:localhost", "IP:127.0.0.1", f"IP:{NODE_IP}", f"IP:{API_SERVICE_IP}"]
)
IDENTITIES = (
    Identity("apiserver", "/CN=kube-apiserver", _API_NAMES),
    Identity("admin", "/O=system:masters/CN=admin"),
    Identity("controller-manager", "/CN=system:kube-controller-manager"),
    Identity("scheduler", "/CN=system:kube-scheduler"),
    Identity("proxy", "/CN=system:kube-proxy"),
    Identity("kubelet", f"/O=system:nodes/CN=system:node:{NODE}", f"DNS:{NODE},IP:{NODE_IP},IP:127.0.0.1"),
)


def create(folder: Path) -> None:
    """Make authority, keys and certificates unless they are there."""
    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    run("openssl", "req", "-x509", *EC, "-keyout", folder / "ca.key", "-out", folder / "ca.crt",
        "-subj", "/CN=assay-ca", "-days", DAYS)  # fmt: skip
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / "sa.key")
    run("openssl", "ec", "-in", folder / "sa.key", "-pubout", "-out", folder / "sa.pub")
    for identity in IDENTITIES:
        _sign(folder, identity)
    (folder / "done").touch()


def _sign(folder: Path, who: Identity) -> None:
    key, request, certificate = (folder / f"{who.name}.{end}" for end in ("key", "csr", "crt"))
    extensions = folder / f"{who.name}.ext"
    extensions.write_text(f"subjectAltName={who.names}\nextendedKeyUsage=serverAuth,clientAuth\n")
    run("openssl", "req", *EC, "-keyout", key, "-out", request, "-subj", who.subject)
    run("openssl", "x509", "-req", "-in", request, "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key",
        "-CAcreateserial", "-out", certificate, "-days", DAYS, "-extfile", extensions)  # fmt: skip
    request.unlink()
    extensions.unlink()


def kubeconfig(cluster: Cluster, user: str, port: int = API_PORT) -> str:
    """A kubeconfig for one identity, everything embedded, so that the file may be copied away."""
    folder = cluster.state / "pki"
    ca, crt, key = (_base64(folder / name) for name in ("ca.crt", f"{user}.crt", f"{user}.key"))
    name = cluster.name
    return (
        "apiVersion: v1\nkind: Config\n"
        f'clusters: [{{name: {name}, cluster: {{server: "https://127.0.0.1:{port}", '
        f"certificate-authority-data: {ca}}}}}]\n"
        f"users: [{{name: {user}, user: {{client-certificate-data: {crt}, client-key-data: {key}}}}}]\n"
        f"contexts: [{{name: {name}, context: {{cluster: {name}, user: {user}}}}}]\n"
        f"current-context: {name}\n"
    )


def write_kubeconfigs(cluster: Cluster, port: int) -> None:
    """One for each component (inside the network) and one for people (on loopback)."""
    for identity in IDENTITIES[1:]:
        _write(cluster.state / f"{identity.name}.kubeconfig", kubeconfig(cluster, identity.name))
    _write(cluster.kubeconfig, kubeconfig(cluster, "admin", port))


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.touch(mode=0o600)
    part.write_text(text)
    part.replace(path)


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
