"""The parts fit together: labels, ports, settings, and a gateway that leaves politely."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from assay_collector.settings import Settings as CollectorSettings
from assay_operator.gateway import Tls, certificate
from assay_operator.manifests.leader import Replica, leader_slice
from assay_operator.settings import Settings as OperatorSettings
from assay_relay.settings import Settings as RelaySettings
from assay_shipper.settings import Settings as ShipperSettings

PROMETHEUS_OPERATOR = (
    "--api-versions=monitoring.coreos.com/v1/ServiceMonitor",
    "--api-versions=monitoring.coreos.com/v1/PodMonitor",
)


def test_a_leaving_gateway_answers_until_the_cluster_has_forgotten_it(render: Any) -> None:
    deployment = render().named("Deployment", "assay-gateway")
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    pod = deployment["spec"]["template"]["spec"]
    envoy, shipper = pod["containers"][0], pod["initContainers"][0]
    drain = float(envoy["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert drain >= 5
    shipped = float(next(v["value"] for v in shipper["env"] if v["name"] == "ASSAY_DRAIN_SECONDS"))
    assert pod["terminationGracePeriodSeconds"] > drain + shipped
    assert envoy["readinessProbe"]["httpGet"] == {"path": "/assay-ready", "port": "http"}
    assert shipper["restartPolicy"] == "Always"  # stopped after Envoy, so that the last exposures are shipped


def test_envoy_asks_the_relay_and_the_relay_the_operator_of_its_own_release(render: Any) -> None:
    objects = render({"fullnameOverride": "trial"})
    relay = sidecar(objects.named("Deployment", "trial-gateway"), "relay")
    address = next(v["value"] for v in relay["env"] if v["name"] == "ASSAY_OPERATOR_ADDRESS")
    host, port = address.rsplit(":", 1)
    service = objects.named("Service", host.split(".")[0])
    assert host == "trial-operator-leader.assay-system.svc"
    assert int(port) in [port["port"] for port in service["spec"]["ports"]]
    bootstrap = yaml.safe_load(objects.named("ConfigMap", "trial-gateway")["data"]["envoy.yaml"])
    clusters = {
        c["name"]: c["load_assignment"]["endpoints"][0] for c in bootstrap["static_resources"]["clusters"]
    }
    address = clusters["operator"]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert address == {"address": "127.0.0.1", "port_value": RelaySettings.model_fields["relay_port"].default}
    assert bootstrap["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_what_the_relay_remembers_outlives_its_container(render: Any) -> None:
    deployment = render().named("Deployment", "assay-gateway")
    mounts = {m["mountPath"]: m["name"] for m in sidecar(deployment, "relay")["volumeMounts"]}
    folder = str(RelaySettings.model_fields["memory"].default.parent)
    volumes = {v["name"]: v for v in deployment["spec"]["template"]["spec"]["volumes"]}
    assert "emptyDir" in volumes[mounts[folder]]


def test_gateways_ask_each_other_at_a_service_of_their_own_with_their_token(render: Any) -> None:
    objects = render({"fullnameOverride": "trial", "networkPolicy": {"enabled": True}})
    relay = sidecar(objects.named("Deployment", "trial-gateway"), "relay")
    given = {v["name"]: v.get("value") for v in relay["env"]}
    host, port = given["ASSAY_PEERS_ADDRESS"].rsplit(":", 1)
    service = objects.named("Service", host.split(".")[0])["spec"]
    assert host == "trial-gateway-relay.assay-system.svc"
    assert not service.get("publishNotReadyAddresses"), "one that is not ready has nothing to tell"
    assert [p["port"] for p in service["ports"]] == [int(port)]
    assert int(port) == RelaySettings.model_fields["peers_port"].default
    mounts = {m["mountPath"] for m in relay["volumeMounts"]}
    assert str(Path(given["ASSAY_TOKEN_FILE"]).parent) in mounts
    gateway = objects.named("Deployment", "trial-gateway")["spec"]["template"]["metadata"]["labels"]
    (rule,) = [
        r
        for r in objects.named("NetworkPolicy", "trial-gateway")["spec"]["ingress"]
        if {"port": int(port)} in r["ports"]
    ]
    assert [peer["podSelector"]["matchLabels"].items() <= gateway.items() for peer in rule["from"]] == [True]


@pytest.mark.parametrize("port", [80, 8080])
def test_the_names_of_models_lead_to_port_80_of_the_gateway(render: Any, port: int) -> None:
    objects = render(
        {"fullnameOverride": "trial", "clusterDomain": "example.org", "gateway": {"service": {"port": port}}}
    )
    (operator,) = objects.named("Deployment", "trial-operator")["spec"]["template"]["spec"]["containers"]
    given = {v["name"]: v.get("value") for v in operator["env"]}
    assert given["ASSAY_GATEWAY_HOST"] == "trial-gateway.assay-system.svc.example.org"
    ports = {p["port"]: p["targetPort"] for p in objects.named("Service", "trial-gateway")["spec"]["ports"]}
    assert ports == dict.fromkeys((80, port), "http")


def test_https_takes_a_secret_and_everybody_knows(render: Any) -> None:
    objects = render({"gateway": {"tls": {"secretName": "edge-cert"}}})
    pod = objects.named("Deployment", "assay-gateway")["spec"]["template"]["spec"]
    (envoy,) = pod["containers"]
    mounts = {m["mountPath"]: m["name"] for m in envoy["volumeMounts"]}
    volumes = {v["name"]: v for v in pod["volumes"]}
    assert volumes[mounts[Tls().folder]]["secret"]["secretName"] == "edge-cert"
    source = yaml.safe_load(objects.named("ConfigMap", "assay-gateway")["data"]["tls.yaml"])
    assert source == certificate(Tls())
    assert mounts[str(Path(Tls().source).parent)] == "bootstrap"
    ports = {p["name"]: p["containerPort"] for p in envoy["ports"]}
    assert ports["https"] == Tls().port
    service = objects.named("Service", "assay-gateway")["spec"]["ports"]
    assert [(p["name"], p["port"], p["targetPort"]) for p in service][1:] == [("https", 443, "https")]
    (operator,) = objects.named("Deployment", "assay-operator")["spec"]["template"]["spec"]["containers"]
    variables = {v["name"]: v.get("value") for v in operator["env"]}
    assert variables["ASSAY_GATEWAY_TLS_PORT"] == str(Tls().port)


def test_without_a_secret_there_is_no_https(render: Any) -> None:
    objects = render()
    assert [p["name"] for p in objects.named("Service", "assay-gateway")["spec"]["ports"]] == ["http"]
    assert "tls.yaml" not in objects.named("ConfigMap", "assay-gateway")["data"]
    (operator,) = objects.named("Deployment", "assay-operator")["spec"]["template"]["spec"]["containers"]
    assert "ASSAY_GATEWAY_TLS_PORT" not in {v["name"] for v in operator["env"]}


def sidecar(deployment: Any, name: str) -> Any:
    containers = deployment["spec"]["template"]["spec"]["initContainers"]
    return next(container for container in containers if container["name"] == name)


def test_a_budget_never_blocks_the_drain_of_a_node(render: Any) -> None:
    budgets = render().of_kind("PodDisruptionBudget")
    assert [o["metadata"]["name"] for o in budgets] == ["assay-operator", "assay-gateway"]
    alone = {"operator": {"replicas": 1}, "gateway": {"replicas": 1}}
    assert render(alone).of_kind("PodDisruptionBudget") == []


def test_the_collector_keeps_its_data_on_a_claim_unless_it_has_a_database(render: Any) -> None:
    alone = render().named("StatefulSet", "assay-collector")
    assert alone["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] == "data"
    mounts = alone["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {"name": "data", "mountPath": "/var/lib/assay"} in mounts
    shared = render({"collector": {"replicas": 2, "database": {"urlSecret": {"name": "db"}}}})
    deployment = shared.named("Deployment", "assay-collector")
    environment = {v["name"]: v for v in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert environment["ASSAY_DATABASE_URL"]["valueFrom"] == {"secretKeyRef": {"name": "db", "key": "url"}}


@pytest.mark.parametrize("count", [1, 2])
def test_replicas_of_the_operator_come_before_others_go_and_know_who_they_are(
    render: Any, count: int
) -> None:
    deployment = render({"operator": {"replicas": count}}).named("Deployment", "assay-operator")["spec"]
    assert deployment["replicas"] == count
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    pod = deployment["template"]["spec"]
    assert pod["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"
    given = {v["name"]: v for v in pod["containers"][0]["env"]}
    fields = {
        name: given[f"ASSAY_POD_{name}"]["valueFrom"]["fieldRef"]["fieldPath"]
        for name in ("NAME", "UID", "IP")
    }
    assert fields == {"NAME": "metadata.name", "UID": "metadata.uid", "IP": "status.podIP"}


def test_lease_service_and_slice_of_the_leader_have_one_name(render: Any) -> None:
    objects = render({"fullnameOverride": "trial"})
    (container,) = objects.named("Deployment", "trial-operator")["spec"]["template"]["spec"]["containers"]
    name = next(v["value"] for v in container["env"] if v["name"] == "ASSAY_LEASE")
    assert objects.named("Lease", name)["spec"] == {}  # an upgrade must not touch who holds it
    ports = {p["name"]: p["port"] for p in objects.named("Service", name)["spec"]["ports"]}
    pod = Replica("assay-system", "p", "u", "10.0.0.1")
    assert {p["name"]: p["port"] for p in leader_slice(name, pod, ports)["ports"]} == ports
    rules = objects.named("Role", name)["rules"]
    assert [rule["resourceNames"] for rule in rules if rule["verbs"] != ["create"]] == [[name], [name]]


def test_the_operator_knows_the_gateway_by_its_role(render: Any) -> None:
    roles = {
        o["metadata"]["name"]: o["spec"]["template"]["metadata"]["labels"].get("assay.dev/role")
        for o in render().of_kind("Deployment", "StatefulSet")
    }
    assert roles == {"assay-gateway": "gateway", "assay-operator": None, "assay-collector": None}


def test_every_setting_that_the_chart_gives_is_one_that_its_reader_knows(render: Any) -> None:
    known = {
        "assay-operator": set(OperatorSettings.model_fields),
        "assay-collector": set(CollectorSettings.model_fields),
        "assay-gateway": set(ShipperSettings.model_fields) | set(RelaySettings.model_fields),
    }
    for name, container in render().containers():
        given = {v["name"] for v in container.get("env", []) if v["name"].startswith("ASSAY_")}
        strangers = {variable.removeprefix("ASSAY_").lower() for variable in given} - known.get(name, set())
        assert strangers == set(), name


def test_services_select_the_pods_of_their_part_and_only_ports_that_they_have(render: Any) -> None:
    objects = render()
    workloads = {w["metadata"]["name"]: w for w in objects.of_kind("Deployment", "StatefulSet")}
    ports: dict[str, set[str | int]] = {name: set() for name in workloads}
    for name, container in objects.containers():
        for port in container.get("ports", []):
            ports[name] |= {port["name"], port["containerPort"]}
    leader = objects.named("Service", OperatorSettings.model_fields["lease"].default)
    assert "selector" not in leader["spec"]  # else every replica would get gateways
    assert {port["targetPort"] for port in leader["spec"]["ports"]} <= ports["assay-operator"]
    for service in objects.of_kind("Service"):
        if service is leader:
            continue
        wanted = service["spec"]["selector"].items()
        found = [
            n for n, w in workloads.items() if wanted <= w["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert len(found) == 1, service["metadata"]["name"]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports[found[0]]


def test_every_metrics_service_is_headless_so_that_dns_finds_each_pod(render: Any) -> None:
    services = [o for o in render().of_kind("Service") if o["metadata"]["name"].endswith("-metrics")]
    assert len(services) == 3
    assert {o["spec"]["clusterIP"] for o in services} == {"None"}


def test_monitors_are_made_only_where_their_kinds_are_known(render: Any) -> None:
    kinds = ("ServiceMonitor", "PodMonitor")
    assert render().of_kind(*kinds) == []
    assert len(render({}, *PROMETHEUS_OPERATOR).of_kind(*kinds)) == 3


def test_network_policies_let_the_gateway_reach_the_operator(render: Any) -> None:
    objects = render({"networkPolicy": {"enabled": True}})
    policy = objects.named("NetworkPolicy", "assay-operator")
    gateway = objects.named("Deployment", "assay-gateway")["spec"]["template"]["metadata"]["labels"]
    peer = policy["spec"]["ingress"][0]
    assert peer["ports"] == [{"port": 18000}]
    assert peer["from"][0]["podSelector"]["matchLabels"].items() <= gateway.items()
