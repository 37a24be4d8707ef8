"""Everything that a reader may copy is valid, to the letter: examples, and objects in the documentation."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay_api import ExperimentSpec, ModelSpec

ROOT = Path(__file__).parents[2]
SPECS = {"Model": ModelSpec, "Experiment": ExperimentSpec}
NOT_LITERAL = {"docs/design.md"}  # shows alternatives side by side


def texts(path: Path) -> list[str]:
    text = path.read_text()
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if path.suffix == ".md" else [text]


def objects() -> Iterator[Any]:
    paths = [*ROOT.glob("docs/**/*.md"), ROOT / "README.md", *ROOT.glob("examples/**/*.yaml")]
    for path in paths:
        name = str(path.relative_to(ROOT))
        for text in texts(path) if name not in NOT_LITERAL else ():
            for found in yaml.safe_load_all(text):
                if isinstance(found, dict) and found.get("kind") in SPECS:
                    yield pytest.param(found["kind"], found["spec"], id=f"{name}-{found['kind']}")


OBJECTS = list(objects())


@pytest.mark.parametrize(("kind", "spec"), OBJECTS)
def test_an_example_is_valid_to_the_letter(kind: str, spec: dict[str, Any]) -> None:
    SPECS[kind].written(spec)


def test_there_are_examples() -> None:
    assert len(OBJECTS) > 10
