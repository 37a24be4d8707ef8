"""The same file applied again is reported as unchanged, and is no new generation of the object.

`kubectl apply` compares a list as a whole, so that one default that the API server writes into an item
would make the same file a change for ever.
"""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import documented
import largest
import pytest
import specs
from api_objects import Objects
from cluster.settings import BIN
from cluster.wheels import kubectl_and_helm
from hypothesis import HealthCheck, Phase, given, seed, settings

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

Kubectl = Callable[..., str]
EXAMPLES, SEED = 25, 20260713
SOURCES = list(documented.sources())


@pytest.fixture(scope="module")
def program() -> Path:
    """The real kubectl, of the release that the API server has."""
    if not (BIN / "kubectl").exists():
        kubectl_and_helm()
    return BIN / "kubectl"


@pytest.fixture
def kubectl(api_server: Any, program: Path) -> Kubectl:
    def run(*words: str) -> str:
        command = [program, "--kubeconfig", api_server.kubeconfig, *words]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def written(source: documented.Source, namespace: str, folder: Path) -> Path:
    """Return a file with the Models and Experiments of the source, in the namespace of the test."""
    bodies = [body | {"metadata": body["metadata"] | {"namespace": namespace}} for body in source.ours]
    file = folder / "objects.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies}))
    return file


def generations(objects: Objects, source: documented.Source) -> list[int]:
    found = [objects.get(body["kind"], body["metadata"]["name"]) for body in source.ours]
    return [body["metadata"]["generation"] for body in found if body]


@pytest.mark.parametrize("source", [pytest.param(source, id=source.name) for source in SOURCES])
def test_what_a_reader_copies_is_unchanged_when_it_is_applied_again(
    source: documented.Source, objects: Objects, kubectl: Kubectl, tmp_path: Path
) -> None:
    file = written(source, objects.namespace, tmp_path)
    first = kubectl("apply", "-f", str(file)).splitlines()
    assert all(line.endswith(" created") for line in first), first
    before = generations(objects, source)
    again = kubectl("apply", "-f", str(file)).splitlines()
    assert len(again) == len(source.ours)
    assert all(line.endswith(" unchanged") for line in again), again
    assert generations(objects, source) == before == [1] * len(again)


def test_an_edit_of_an_item_is_applied_and_then_unchanged(
    objects: Objects, kubectl: Kubectl, tmp_path: Path
) -> None:
    spec = experiment_of(ramp=[{"percent": 5}, {"percent": 20}])
    edited = experiment_of(ramp=[{"percent": 5, "minDuration": "1h"}, {"percent": 20}])
    results = []
    for body in (spec, edited, edited, spec, spec):
        file = written(documented.Source("edited", (body,)), objects.namespace, tmp_path)
        results.append(kubectl("apply", "-f", str(file)).split()[-1])
    assert results == ["created", "configured", "unchanged", "configured", "unchanged"]
    assert objects.get("Experiment", "edited")["spec"]["ramp"] == [{"percent": 5}, {"percent": 20}]  # type: ignore[index]


def experiment_of(**change: Any) -> specs.Body:
    guardrail = {"name": "errors", "margin": {"absolute": 0.01}}
    arms = [
        {"name": "control", "version": "churn-1", "weight": 50},
        {"name": "candidate", "version": "churn-2", "weight": 50},
    ]
    whole = {"modelRef": {"name": "churn"}, "arms": arms, "metrics": {"guardrails": [guardrail]}}
    return specs.body("Experiment", "edited", whole | change)


def differing_lists(sent: Any, kept: Any, path: str = "") -> list[str]:
    """Return the paths of the lists that the API server keeps otherwise than they were sent."""
    if isinstance(sent, list):
        return [] if sent == kept else [path]
    if not isinstance(sent, dict):
        return []
    below = [differing_lists(value, kept.get(name), f"{path}.{name}") for name, value in sent.items()]
    return [path for paths in below for path in paths]


@pytest.mark.parametrize("kind", specs.KINDS)
def test_the_api_server_fills_in_no_list(api_server: Any, kind: str) -> None:
    resource = api_server.client.resources.get(api_version="assay.dev/v1alpha1", kind=kind)

    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @seed(SEED)
    @given(specs.VALID[kind]())
    def holds(body: specs.Body) -> None:
        kept = resource.create(body=body, namespace="default", dry_run="All").to_dict()
        assert differing_lists(body["spec"], kept["spec"]) == []

    holds()


LARGEST = {"Model": largest.model, "ModelVersion": largest.version, "Experiment": largest.experiment}


@pytest.mark.parametrize("kind", LARGEST)
def test_nor_does_it_of_the_largest_object(api_server: Any, kind: str) -> None:
    resource = api_server.client.resources.get(api_version="assay.dev/v1alpha1", kind=kind)
    body = specs.body(kind, "largest", LARGEST[kind]())
    kept = resource.create(body=body, namespace="default", dry_run="All").to_dict()
    assert differing_lists(body["spec"], kept["spec"]) == []
