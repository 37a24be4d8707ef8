"""Who may do what: roles, service accounts, tokens."""

from __future__ import annotations

import itertools
import re
from typing import Any

import yaml

from assay_operator.kinds import KINDS


def test_only_the_operator_may_talk_to_the_api_server(objects: Any) -> None:
    for name, pod in objects.pods().items():
        assert pod["automountServiceAccountToken"] is name.endswith("-operator"), name
    for account in objects.of_kind("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    subjects = [s for b in objects.of_kind("RoleBinding", "ClusterRoleBinding") for s in b["subjects"]]
    assert {subject["name"] for subject in subjects} == {subjects[0]["name"]}
    assert subjects[0]["name"].endswith("-operator")


def test_no_rule_has_a_wildcard_or_touches_secrets_or_roles(objects: Any) -> None:
    rules = [rule for o in objects.of_kind("Role", "ClusterRole") for rule in o["rules"]]
    for rule in rules:
        assert "*" not in itertools.chain(rule["apiGroups"], rule["resources"], rule["verbs"])
        assert not set(rule["verbs"]) & {"escalate", "bind", "impersonate"}
        if rule["resources"] == ["secrets"] and rule.get("resourceNames") == ["assay-predictor"]:
            assert set(rule["verbs"]) == {"get", "create", "patch"}  # by name: the one that it writes
            continue
        assert not set(rule["resources"]) & {
            "secrets",
            "roles",
            "clusterroles",
            "serviceaccounts",
            "pods/exec",
        }
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"]


def test_no_secret_is_in_a_config_map_or_an_environment(objects: Any) -> None:
    secret = re.compile("token|password|unit-key|BEGIN .*KEY", re.IGNORECASE)
    for item in objects.of_kind("ConfigMap"):
        assert not secret.search(yaml.dump(item["data"]))
    given = [v for _, c in objects.containers() for v in c.get("env", []) if "value" in v]
    assert [v for v in given if secret.search(v["name"]) and not v["value"].startswith("/etc/assay/")] == []


def test_with_namespaces_there_are_only_roles(major: int, render: Any) -> None:
    objects = render({"scope": "namespaces", "namespaces": ["team-a", "team-b"]}, major=major)
    assert objects.of_kind("ClusterRole", "ClusterRoleBinding") == []
    assert [o["metadata"]["namespace"] for o in objects.of_kind("Role")] == [
        "team-a",
        "team-b",
        "assay-system",
        "assay-system",
    ]
    own = objects.of_kind("Role")[-2]
    assert {verb for rule in own["rules"] for verb in rule["verbs"]} == {"list", "watch"}
    assert "pods" in [resource for rule in own["rules"] for resource in rule["resources"]]
    environment = {
        v["name"]: v.get("value") for v in objects.pods()["assay-operator"]["containers"][0]["env"]
    }
    assert environment["ASSAY_NAMESPACES"] == '["team-a","team-b"]'


def test_a_part_reads_only_the_tokens_that_it_needs(render: Any) -> None:
    objects = render()
    read = {
        (name, item["key"])
        for name, pod in objects.pods().items()
        for volume in pod.get("volumes", [])
        for item in volume.get("secret", {}).get("items", [])
    }
    assert read == {
        ("assay-operator", "operator"),
        ("assay-operator", "webhook"),
        ("assay-operator", "predictor"),
        ("assay-gateway", "gateway"),
        ("assay-gateway", "unit-key"),
        ("assay-collector", "operator"),
        ("assay-collector", "gateway"),
        ("assay-collector", "application"),
        ("assay-collector", "predictor"),
        ("assay-collector", "unit-key"),
    }


def test_tokens_are_long_random_and_different(render: Any) -> None:
    secret = render().named("Secret", "assay-tokens")
    assert set(secret["data"]) == {"operator", "gateway", "application", "predictor", "webhook", "unit-key"}
    assert len(set(secret["data"].values())) == 6
    assert min(len(value) for value in secret["data"].values()) >= 64  # 48 letters and digits in base64


def test_given_tokens_are_used_and_none_are_made(render: Any) -> None:
    objects = render({"tokens": {"existingSecret": "ours"}})
    assert objects.of_kind("Secret") == []
    names = {
        v["secret"]["secretName"]
        for pod in objects.pods().values()
        for v in pod.get("volumes", [])
        if "secret" in v
    }
    assert names == {"ours"}


def test_the_operator_may_watch_what_it_watches_and_report_on_what_is_ours(render: Any) -> None:
    role = render().named("ClusterRole", "assay-system-assay-operator")
    allowed = {
        (group, resource, verb)
        for rule in role["rules"]
        for group, resource, verb in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }
    for kind in KINDS:
        assert {(kind.group, kind.plural, verb) for verb in kind.verbs} <= allowed
        assert {(kind.group, f"{kind.plural}/status", verb) for verb in kind.status_verbs} <= allowed


def test_secrets_of_databases_are_read_by_name_and_only_those(render: Any) -> None:
    wanted = {"sources": {"sql": {"secrets": ["warehouse"]}}}
    for scope in ({}, {"scope": "namespaces", "namespaces": ["team-a"]}):
        roles = render(scope | wanted).of_kind("Role", "ClusterRole")
        reads = [
            (rule["resourceNames"], rule["verbs"])
            for role in roles
            for rule in role["rules"]
            if "secrets" in rule["resources"] and rule["resourceNames"] != ["assay-predictor"]
        ]
        assert reads == [(["warehouse"], ["get"])]


def test_leases_are_held_in_the_own_namespace_only(objects: Any) -> None:
    roles = [(role, rule) for role in objects.of_kind("Role", "ClusterRole") for rule in role["rules"]]
    leases = [
        (role["kind"], role["metadata"].get("namespace"), rule["verbs"], len(rule.get("resourceNames", ())))
        for role, rule in roles
        if "leases" in rule["resources"]
    ]
    assert leases == [
        ("Role", "assay-system", ["get", "update"], 1),
        ("Role", "assay-system", ["create"], 0),
    ]
