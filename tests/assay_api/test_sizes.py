"""The largest valid object of each kind is far below what etcd takes, so that its status has room too."""

import json
from typing import Any

import largest
import pytest
from pydantic import BaseModel, ValidationError

from assay_api.experiment import ExperimentSpec
from assay_api.model import ModelSpec
from assay_api.version import VersionSpec

LIMIT = 200_000  # bytes; etcd takes 1.5 MB
SPECS = [
    pytest.param(ModelSpec, largest.model(), id="Model"),
    pytest.param(VersionSpec, largest.version(), id="ModelVersion"),
    pytest.param(ExperimentSpec, largest.experiment(), id="Experiment"),
]


def size(spec: BaseModel) -> int:
    """Bytes that the API server keeps: defaults are written out."""
    return len(
        json.dumps(
            spec.model_dump(mode="json", by_alias=True, exclude_none=True), ensure_ascii=False
        ).encode()
    )


@pytest.mark.parametrize(("kind", "spec"), SPECS)
def test_the_largest_valid_object_is_small(kind: type[BaseModel], spec: dict[str, Any]) -> None:
    assert LIMIT / 8 < size(kind.model_validate(spec)) < LIMIT


ONE_MORE = [
    pytest.param(ExperimentSpec, largest.experiment() | {"hypothesis": "x" * 501}, "500", id="a hypothesis"),
    pytest.param(
        ExperimentSpec,
        largest.experiment() | {"metrics": largest.metrics(11, 9)},
        "at most 10",
        id="a guardrail",
    ),
    pytest.param(
        ModelSpec, largest.model() | {"gates": [{"metric": "f1", "min": 0}] * 21}, "at most 20", id="a gate"
    ),
]


@pytest.mark.parametrize(("kind", "spec", "words"), ONE_MORE)
def test_one_more_is_refused(kind: type[BaseModel], spec: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        kind.model_validate(spec)
