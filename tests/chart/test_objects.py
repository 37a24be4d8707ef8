"""The objects that the chart makes, whatever the values: known to Kubernetes, named once, restricted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ("1.29", "1.37")  # the oldest that the chart allows, the newest that schemas are at hand for


def test_kubernetes_knows_every_field(objects: Any, complaints: Any) -> None:
    ours = [o for o in objects if "coreos.com" not in o["apiVersion"]]
    schemas = [
        o for o in ours if o["kind"] != "CustomResourceDefinition"
    ]  # those are the API server's to judge
    assert [words for item in schemas for version in KUBERNETES for words in complaints(item, version)] == []


def test_names_are_unique_and_everything_is_labelled(objects: Any) -> None:
    names = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects]
    assert len(names) == len(set(names))
    for item in objects.of_kind(*{o["kind"] for o in objects} - {"CustomResourceDefinition"}):
        assert item["metadata"]["labels"]["app.kubernetes.io/part-of"] == "assay"
        assert item["metadata"]["labels"]["app.kubernetes.io/instance"] == "assay"


def test_every_pod_is_restricted(objects: Any) -> None:
    for name, pod in objects.pods().items():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] > 0, name
        assert context["runAsGroup"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        assert all("hostPath" not in volume for volume in pod.get("volumes", [])), name


def test_every_container_is_restricted_and_says_what_it_needs(objects: Any) -> None:
    for name, container in objects.containers():
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False, name
        assert context["readOnlyRootFilesystem"] is True, name
        assert context["capabilities"] == {"drop": ["ALL"]}, name
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}, name
        assert "memory" in container["resources"]["limits"], name


def test_a_variable_is_set_once(objects: Any) -> None:
    for name, container in objects.containers():
        variables = [variable["name"] for variable in container.get("env", [])]
        assert len(variables) == len(set(variables)), name


def test_the_crds_are_the_generated_ones_and_stay_behind(major: int, render: Any) -> None:
    sources = sorted((yaml.safe_load(p.read_text()) for p in (ROOT / "crds").glob("*.yaml")), key=str)
    rendered = render(major=major).of_kind("CustomResourceDefinition")
    for crd in rendered:
        assert crd["metadata"]["annotations"].pop("helm.sh/resource-policy") == "keep"
        if not crd["metadata"]["annotations"]:
            del crd["metadata"]["annotations"]
    for source in sources:
        source["metadata"].setdefault("annotations", {}) or source["metadata"].pop("annotations")
    assert sorted(rendered, key=lambda o: o["metadata"]["name"]) == sorted(
        sources, key=lambda o: o["metadata"]["name"]
    )
    assert len(rendered) == 3


def test_crds_can_be_left_out_and_can_go_with_the_release(major: int, render: Any) -> None:
    assert render({"crds": {"install": False}}, major=major).of_kind("CustomResourceDefinition") == []
    going = render({"crds": {"keep": False}}, major=major).of_kind("CustomResourceDefinition")
    assert [crd["metadata"].get("annotations", {}).get("helm.sh/resource-policy") for crd in going] == [
        None
    ] * 3


def test_the_schemas_notice_a_field_that_kubernetes_does_not_know(render: Any, complaints: Any) -> None:
    service = render().named("Service", "assay-gateway")
    broken = service | {"spec": service["spec"] | {"selectors": {}}}
    assert complaints(service, "1.29") == []
    assert "selectors" in complaints(broken, "1.29")[0]
