"""The objects that the chart makes: valid, restricted, and with no right too many."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay_collector.settings import Settings as CollectorSettings
from assay_operator.kube import EVERY
from assay_operator.settings import Settings as OperatorSettings
from assay_shipper.settings import Settings as ShipperSettings

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ("1.29", "1.37")  # the oldest that the chart allows, the newest that schemas are at hand for
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
    pytest.param({}, (), id="the defaults"),
    pytest.param({"scope": "namespaces", "namespaces": ["team-a", "team-b"]}, (), id="two namespaces"),
    pytest.param(
        {"collector": {"replicas": 2, "database": {"urlSecret": {"name": "db"}}}},
        (),
        id="a database of their own",
    ),
    pytest.param(
        {"tokens": {"existingSecret": "ours"}, "crds": {"install": False}}, (), id="given tokens, no CRDs"
    ),
    pytest.param(
        {"fullnameOverride": "trial", "gateway": {"replicas": 1}}, (), id="one gateway, another name"
    ),
    pytest.param(EVERYTHING, PROMETHEUS_OPERATOR, id="everything at once"),
]
every_kind_of_values = pytest.mark.parametrize(("values", "arguments"), MATRIX)


def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the pod specs among the objects, by the name of their owner."""
    owners = ("Deployment", "StatefulSet")
    found = {o["metadata"]["name"]: o["spec"]["template"]["spec"] for o in objects if o["kind"] in owners}
    return found | {o["metadata"]["name"]: o["spec"] for o in objects if o["kind"] == "Pod"}


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def of_kind(objects: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [o for o in objects if o["kind"] in kinds]


def named(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    return next(o for o in of_kind(objects, kind) if o["metadata"]["name"] == name)


@every_kind_of_values
def test_kubernetes_knows_every_field(values, arguments, major, render, complaints) -> None:
    ours = [o for o in render(values, *arguments, major=major) if "coreos.com" not in o["apiVersion"]]
    schemas = [
        o for o in ours if o["kind"] != "CustomResourceDefinition"
    ]  # those are the API server's to judge
    assert [words for item in schemas for version in KUBERNETES for words in complaints(item, version)] == []


@every_kind_of_values
def test_names_are_unique_and_everything_is_labelled(values, arguments, major, render) -> None:
    objects = render(values, *arguments, major=major)
    names = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects]
    assert len(names) == len(set(names))
    for item in of_kind(objects, *{o["kind"] for o in objects} - {"CustomResourceDefinition"}):
        assert item["metadata"]["labels"]["app.kubernetes.io/part-of"] == "assay"
        assert item["metadata"]["labels"]["app.kubernetes.io/instance"] == "assay"


@every_kind_of_values
def test_every_pod_is_restricted_and_says_what_it_needs(values, arguments, major, render) -> None:
    for name, pod in pods(render(values, *arguments, major=major)).items():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] > 0, name
        assert context["runAsGroup"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        assert all("hostPath" not in volume for volume in pod.get("volumes", [])), name
        for container in containers(pod):
            inner = container["securityContext"]
            assert inner["allowPrivilegeEscalation"] is False, name
            assert inner["readOnlyRootFilesystem"] is True, name
            assert inner["capabilities"] == {"drop": ["ALL"]}, name
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name


@every_kind_of_values
def test_a_variable_is_set_once(values, arguments, major, render) -> None:
    for name, pod in pods(render(values, *arguments, major=major)).items():
        for container in containers(pod):
            variables = [variable["name"] for variable in container.get("env", [])]
            assert len(variables) == len(set(variables)), name


@every_kind_of_values
def test_only_the_operator_may_talk_to_the_api_server(values, arguments, major, render) -> None:
    objects = render(values, *arguments, major=major)
    for name, pod in pods(objects).items():
        assert pod["automountServiceAccountToken"] is name.endswith("-operator"), name
    for account in of_kind(objects, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    subjects = [s for b in of_kind(objects, "RoleBinding", "ClusterRoleBinding") for s in b["subjects"]]
    assert {subject["name"] for subject in subjects} == {subjects[0]["name"]}
    assert subjects[0]["name"].endswith("-operator")


@every_kind_of_values
def test_no_rule_has_a_wildcard_or_touches_secrets_or_roles(values, arguments, major, render) -> None:
    rules = [
        rule
        for o in of_kind(render(values, *arguments, major=major), "Role", "ClusterRole")
        for rule in o["rules"]
    ]
    for rule in rules:
        assert "*" not in itertools.chain(rule["apiGroups"], rule["resources"], rule["verbs"])
        assert not set(rule["verbs"]) & {"escalate", "bind", "impersonate"}
        assert not set(rule["resources"]) & {
            "secrets",
            "roles",
            "clusterroles",
            "serviceaccounts",
            "pods/exec",
        }
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"]


@every_kind_of_values
def test_no_secret_is_in_a_config_map_or_an_environment(values, arguments, major, render) -> None:
    objects = render(values, *arguments, major=major)
    secret = re.compile("token|password|unit-key|BEGIN .*KEY", re.IGNORECASE)
    for item in of_kind(objects, "ConfigMap"):
        assert not secret.search(yaml.dump(item["data"]))
    given = [
        v for pod in pods(objects).values() for c in containers(pod) for v in c.get("env", []) if "value" in v
    ]
    assert [v for v in given if secret.search(v["name"]) and not v["value"].startswith("/etc/assay/")] == []


def test_with_namespaces_there_are_only_roles(major, render) -> None:
    objects = render({"scope": "namespaces", "namespaces": ["team-a", "team-b"]}, major=major)
    assert of_kind(objects, "ClusterRole", "ClusterRoleBinding") == []
    assert [o["metadata"]["namespace"] for o in of_kind(objects, "Role")] == [
        "team-a",
        "team-b",
        "assay-system",
    ]
    own = of_kind(objects, "Role")[-1]
    assert {verb for rule in own["rules"] for verb in rule["verbs"]} == {"list", "watch"}
    assert "pods" in [resource for rule in own["rules"] for resource in rule["resources"]]
    environment = {v["name"]: v.get("value") for v in pods(objects)["assay-operator"]["containers"][0]["env"]}
    assert environment["ASSAY_NAMESPACES"] == '["team-a","team-b"]'


def test_the_crds_are_the_generated_ones_and_stay_behind(major, render) -> None:
    sources = sorted((yaml.safe_load(p.read_text()) for p in (ROOT / "crds").glob("*.yaml")), key=str)
    rendered = of_kind(render(major=major), "CustomResourceDefinition")
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


def test_crds_can_be_left_out_and_can_go_with_the_release(major, render) -> None:
    assert of_kind(render({"crds": {"install": False}}, major=major), "CustomResourceDefinition") == []
    going = of_kind(render({"crds": {"keep": False}}, major=major), "CustomResourceDefinition")
    assert [crd["metadata"].get("annotations", {}).get("helm.sh/resource-policy") for crd in going] == [
        None
    ] * 3


def test_a_part_reads_only_the_tokens_that_it_needs(render) -> None:
    objects = render()
    read = {
        (name, item["key"])
        for name, pod in pods(objects).items()
        for volume in pod.get("volumes", [])
        for item in volume.get("secret", {}).get("items", [])
    }
    assert read == {
        ("assay-operator", "operator"),
        ("assay-operator", "webhook"),
        ("assay-gateway", "gateway"),
        ("assay-gateway", "unit-key"),
        ("assay-collector", "operator"),
        ("assay-collector", "gateway"),
        ("assay-collector", "application"),
        ("assay-collector", "unit-key"),
    }


def test_tokens_are_long_random_and_different(render) -> None:
    secret = named(render(), "Secret", "assay-tokens")
    assert set(secret["data"]) == {"operator", "gateway", "application", "webhook", "unit-key"}
    assert len(set(secret["data"].values())) == 5
    assert min(len(value) for value in secret["data"].values()) >= 64  # 48 letters and digits in base64


def test_given_tokens_are_used_and_none_are_made(render) -> None:
    objects = render({"tokens": {"existingSecret": "ours"}})
    assert of_kind(objects, "Secret") == []
    names = {
        v["secret"]["secretName"]
        for pod in pods(objects).values()
        for v in pod.get("volumes", [])
        if "secret" in v
    }
    assert names == {"ours"}


def test_a_leaving_gateway_answers_until_the_cluster_has_forgotten_it(render) -> None:
    deployment = named(render(), "Deployment", "assay-gateway")
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    pod = deployment["spec"]["template"]["spec"]
    envoy, shipper = pod["containers"][0], pod["initContainers"][0]
    drain = float(envoy["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert drain >= 5
    shipped = float(next(v["value"] for v in shipper["env"] if v["name"] == "ASSAY_DRAIN_SECONDS"))
    assert pod["terminationGracePeriodSeconds"] > drain + shipped
    assert envoy["readinessProbe"]["httpGet"] == {"path": "/assay-ready", "port": "http"}
    assert shipper["restartPolicy"] == "Always"  # stopped after Envoy, so that the last exposures are shipped


def test_the_gateway_asks_the_operator_of_its_own_release(render) -> None:
    objects = render({"fullnameOverride": "trial"})
    bootstrap = yaml.safe_load(named(objects, "ConfigMap", "trial-gateway")["data"]["envoy.yaml"])
    clusters = {
        c["name"]: c["load_assignment"]["endpoints"][0] for c in bootstrap["static_resources"]["clusters"]
    }
    address = clusters["operator"]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    service = named(objects, "Service", address["address"].split(".")[0])
    assert address["address"] == "trial-operator.assay-system.svc"
    assert address["port_value"] in [port["port"] for port in service["spec"]["ports"]]
    assert bootstrap["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_a_budget_never_blocks_the_drain_of_a_node(render) -> None:
    assert [o["metadata"]["name"] for o in of_kind(render(), "PodDisruptionBudget")] == ["assay-gateway"]
    assert of_kind(render({"gateway": {"replicas": 1}}), "PodDisruptionBudget") == []


def test_the_collector_keeps_its_data_on_a_claim_unless_it_has_a_database(render) -> None:
    alone = named(render(), "StatefulSet", "assay-collector")
    assert alone["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] == "data"
    mounts = alone["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {"name": "data", "mountPath": "/var/lib/assay"} in mounts
    shared = render({"collector": {"replicas": 2, "database": {"urlSecret": {"name": "db"}}}})
    deployment = named(shared, "Deployment", "assay-collector")
    environment = {v["name"]: v for v in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert environment["ASSAY_DATABASE_URL"]["valueFrom"] == {"secretKeyRef": {"name": "db", "key": "url"}}


def test_the_operator_knows_the_gateway_by_its_role(render) -> None:
    roles = {
        o["metadata"]["name"]: o["spec"]["template"]["metadata"]["labels"].get("assay.dev/role")
        for o in of_kind(render(), "Deployment", "StatefulSet")
    }
    assert roles == {"assay-gateway": "gateway", "assay-operator": None, "assay-collector": None}


def test_every_setting_that_the_chart_gives_is_one_that_its_reader_knows(render) -> None:
    known = {
        "assay-operator": set(OperatorSettings.model_fields),
        "assay-collector": set(CollectorSettings.model_fields),
        "assay-gateway": set(ShipperSettings.model_fields),
    }
    for name, pod in pods(render()).items():
        given = {
            v["name"] for c in containers(pod) for v in c.get("env", []) if v["name"].startswith("ASSAY_")
        }
        assert {variable.removeprefix("ASSAY_").lower() for variable in given} <= known.get(name, set()), name


def test_the_operator_may_watch_what_it_watches_and_report_on_what_is_ours(render) -> None:
    role = named(render(), "ClusterRole", "assay-system-assay-operator")
    allowed = {
        (group, resource, verb)
        for rule in role["rules"]
        for group, resource, verb in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }
    for kind in EVERY:
        group = kind.api_version.rpartition("/")[0]
        assert {(group, kind.plural, "list"), (group, kind.plural, "watch")} <= allowed
        if group == "assay.dev":
            assert (group, f"{kind.plural}/status", "patch") in allowed


def test_services_select_the_pods_of_their_part_and_only_ports_that_they_have(render) -> None:
    objects = render()
    workloads = of_kind(objects, "Deployment", "StatefulSet")
    for service in of_kind(objects, "Service"):
        template = [
            w["spec"]["template"]
            for w in workloads
            if service["spec"]["selector"].items() <= w["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert len(template) == 1, service["metadata"]["name"]
        ports = [p for c in containers(template[0]["spec"]) for p in c.get("ports", [])]
        known = {p["name"] for p in ports} | {p["containerPort"] for p in ports}
        assert {p["targetPort"] for p in service["spec"]["ports"]} <= known, service["metadata"]["name"]


def test_every_metrics_service_is_headless_so_that_dns_finds_each_pod(render) -> None:
    services = [o for o in of_kind(render(), "Service") if o["metadata"]["name"].endswith("-metrics")]
    assert len(services) == 3
    assert {o["spec"]["clusterIP"] for o in services} == {"None"}


def test_monitors_are_made_only_where_their_kinds_are_known(render) -> None:
    kinds = ("ServiceMonitor", "PodMonitor")
    assert of_kind(render(), *kinds) == []
    assert len(of_kind(render({}, *PROMETHEUS_OPERATOR), *kinds)) == 3


def test_network_policies_let_the_gateway_reach_the_operator(render) -> None:
    objects = render({"networkPolicy": {"enabled": True}})
    policy = named(objects, "NetworkPolicy", "assay-operator")
    gateway = named(objects, "Deployment", "assay-gateway")["spec"]["template"]["metadata"]["labels"]
    peer = policy["spec"]["ingress"][0]
    assert peer["ports"] == [{"port": 18000}]
    assert peer["from"][0]["podSelector"]["matchLabels"].items() <= gateway.items()


def test_the_schemas_notice_a_field_that_kubernetes_does_not_know(render, complaints) -> None:
    service = named(render(), "Service", "assay-gateway")
    broken = service | {"spec": service["spec"] | {"selectors": {}}}
    assert complaints(service, "1.29") == []
    assert "selectors" in complaints(broken, "1.29")[0]
