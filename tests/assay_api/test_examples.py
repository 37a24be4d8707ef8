"""Everything that a reader may copy is valid, to the letter: examples, and objects in the documentation."""

from typing import Any

import documented
import pytest

from assay_api import ExperimentSpec, ModelSpec
from assay_api.resource import Resource

SPECS: dict[str, type[Resource]] = {"Model": ModelSpec, "Experiment": ExperimentSpec}
OBJECTS = [
    pytest.param(body["kind"], body["spec"], id=f"{source.name}-{body['kind']}")
    for source in documented.sources()
    for body in source.ours
]


@pytest.mark.parametrize(("kind", "spec"), OBJECTS)
def test_an_example_is_valid_to_the_letter(kind: str, spec: dict[str, Any]) -> None:
    SPECS[kind].written(spec)


def test_there_are_examples() -> None:
    assert len(OBJECTS) > 10
