"""What the documents show is true: links lead somewhere, objects are accepted, metrics and values exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay_api import Experiment
from assay_api.model import Rollout

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "charts" / "assay" / "README.md"])
CODE = [*(ROOT / "operator").rglob("*.py"), *(ROOT / "services").rglob("*.py")]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`[^`\n]+`(?!`)")  # code in a line: nothing in it is a link
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page: Path, language: str) -> Iterator[str]:
    """Yield the code of a language that a page shows."""
    return (code for name, code in BLOCK.findall(page.read_text()) if name == language)


def documents(page: Path) -> Iterator[Any]:
    """Yield what a page shows as YAML; design.md abbreviates, so it shows no whole objects."""
    if page.name != "design.md":
        for code in blocks(page, "yaml"):
            yield from yaml.safe_load_all(code)


@every_page
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    targets = [target for target, _ in LINK.findall(SPAN.sub("", page.read_text())) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@every_page
def test_every_yaml_and_json_can_be_read(page: Path) -> None:
    list(documents(page))
    for code in blocks(page, "json"):
        json.loads(code)


def test_experiments_and_rollouts_in_the_guides_are_accepted() -> None:
    found = [document for page in PAGES for document in documents(page) if isinstance(document, dict)]
    experiments = [d for d in found if d.get("kind") == "Experiment"]
    rollouts = [d["rollout"] for d in found if "rollout" in d]
    assert experiments
    assert rollouts
    for document in experiments:
        Experiment.model_validate(document | {"metadata": document["metadata"] | {"uid": "u"}})
    for document in rollouts:
        Rollout.model_validate(document)


def test_values_in_the_install_guide_are_accepted(render: Any) -> None:
    shown = [d for d in documents(ROOT / "docs" / "install.md") if isinstance(d, dict)]
    assert shown
    for values in shown:
        assert render(values)


def test_every_metric_that_operations_names_is_exported() -> None:
    exported = set(re.findall(r'"(assay_[a-z_]+)"', "".join(path.read_text() for path in CODE)))
    named = set(re.findall(r"\b(assay_[a-z_]+)", (ROOT / "docs" / "operations.md").read_text()))
    strangers = {n for n in named if n.removesuffix("_total") not in exported} - {"assay_"}
    assert strangers == set()


def test_environment_names_in_the_documents_are_known() -> None:
    folders = ("charts", "hack", "operator", "services", "tests")
    code = "".join(p.read_text() for f in folders for s in ("*.yaml", "*.py") for p in (ROOT / f).rglob(s))
    known = set(re.findall(r"\bASSAY_[A-Z_]+\b", code)) | settings()
    named = {name for page in PAGES for name in re.findall(r"\bASSAY_[A-Z_]+\b", page.read_text())}
    assert named - known == set()


def settings() -> set[str]:
    """Return the variables that processes read by the names of their settings' fields."""
    modules = (
        "assay_operator.settings",
        "assay_collector.settings",
        "assay_shipper.settings",
        "assay_relay.settings",
        "assay_serving.settings",
    )
    fields = {
        field
        for name in modules
        if find_spec(name)
        for thing in vars(import_module(name)).values()
        for field in getattr(thing, "model_fields", None) or getattr(thing, "__dataclass_fields__", {})
    }
    return {f"ASSAY_{field.upper()}" for field in fields}
