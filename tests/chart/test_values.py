"""The values: what is refused, in which words, and that the two files about them agree."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "assay"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def keys(values: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the dotted keys of the values, as deep as the schema names them."""
    for name, value in values.items():
        yield f"{path}{name}"
        part = schema["properties"].get(name, {})
        if "properties" in part and isinstance(value, dict):
            yield from keys(value, part, f"{path}{name}.")


def named(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every key that the schema names, with its part."""
    for name, part in schema["properties"].items():
        yield f"{path}{name}", part
        if "properties" in part:
            yield from named(part, f"{path}{name}.")


def test_what_the_chart_derives_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "hack" / "generate_chart.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run hack/generate_chart.py: {done.stdout}{done.stderr}"


def test_every_value_is_in_the_schema_and_every_key_of_the_schema_has_a_value() -> None:
    optional = {"global"} | {
        key for key, _ in named(SCHEMA) if key.endswith((".claims", ".limits", ".requests"))
    }
    described = {key for key, _ in named(SCHEMA)}
    assert set(keys(VALUES, SCHEMA)) - described == set()
    assert described - set(keys(VALUES, SCHEMA)) - optional == set()


def test_every_object_of_the_schema_is_closed_and_every_leaf_says_what_it_is() -> None:
    for key, part in named(SCHEMA):
        if "properties" in part:
            assert part["additionalProperties"] is False, key
        else:
            assert part["description"].endswith("."), key


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param({"gateway": {"replica": 3}}, ["gateway", "replica"], id="a misspelt key"),
        pytest.param({"gateway": {"replicas": 0}}, ["gateway", "replicas"], id="no gateway at all"),
        pytest.param({"images": {"operator": {"digest": "sha256:12"}}}, ["digest"], id="half a digest"),
        pytest.param({"scope": "galaxy"}, ["scope"], id="an unknown scope"),
        pytest.param({"store": {"size": "large"}}, ["size"], id="a size without a number"),
        pytest.param(
            {"scope": "namespaces"}, ["namespaces is empty: name those to serve"], id="namespaces, but none"
        ),
        pytest.param(
            {"namespaces": ["team-a"]},
            ["[team-a], but scope is cluster"],
            id="namespaces that would be ignored",
        ),
        pytest.param(
            {"collector": {"replicas": 2}},
            ["collector.replicas is 2, but SQLite has one writer"],
            id="two writers for one SQLite",
        ),
    ],
)
def test_bad_values_are_refused_in_words_that_name_the_key(
    values: Any, words: Any, major: int, helm: Any
) -> None:
    done = helm(major, "template", "assay", str(CHART), "--values", "-", values=values)
    assert done.returncode != 0
    for word in words:
        assert word in done.stderr


def test_an_old_cluster_is_refused(major: int, helm: Any) -> None:
    done = helm(major, "template", "assay", str(CHART), "--kube-version", "1.28.9")
    assert done.returncode != 0
    assert "1.30" in done.stderr


def test_lint_has_nothing_to_say(major: int, helm: Any) -> None:
    done = helm(major, "lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout
