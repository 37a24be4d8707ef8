"""What makes no sense as a Model is refused by the types with the words of the API server's rules."""

from typing import Any

import pytest
from pydantic import ValidationError

from assay_api.model import GATES_NEED_ROWS, NO_FILES, SENT_TO_IMAGES, ModelSpec

DATA = {"uri": "file:///x.csv", "target": "y", "key": "id"}
IMAGE = {"image": {"image": "shop/churn:7"}}
ARTIFACT = {"artifact": {"uri": "s3://m/churn.onnx", "digest": "sha256:" + "0" * 64}}
TRAINING = {"training": {"data": DATA}}
ROWS = {"evaluation": {"data": DATA}}
RECALL, BYTES = ({"gates": [{"metric": name, "max": 1}]} for name in ("recall", "artifactBytes"))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param(IMAGE | RECALL, GATES_NEED_ROWS, id="an image's gates without rows"),
        pytest.param(ARTIFACT | RECALL, GATES_NEED_ROWS, id="an artifact's gates without rows"),
        pytest.param(TRAINING | ROWS, GATES_NEED_ROWS, id="rows beside a training's own"),
        pytest.param(IMAGE | ROWS | BYTES, NO_FILES, id="the size of an image's files"),
        pytest.param(
            ARTIFACT | {"evaluation": {"data": DATA, "columns": ["age"]}}, SENT_TO_IMAGES, id="columns"
        ),
    ],
)
def test_a_model_that_cannot_be_judged_is_refused(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ModelSpec.model_validate(spec)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(IMAGE, id="an image as it is"),
        pytest.param(IMAGE | ROWS | RECALL, id="an image with gates"),
        pytest.param(
            IMAGE | RECALL | {"evaluation": {"data": DATA, "columns": ["age"]}}, id="and its columns"
        ),
        pytest.param(ARTIFACT | ROWS | BYTES, id="an artifact with gates"),
        pytest.param(ARTIFACT | ROWS, id="an artifact that is measured without a bar"),
        pytest.param(TRAINING | BYTES, id="a training with gates"),
    ],
)
def test_a_model_that_can_be_judged_is_taken(spec: dict[str, Any]) -> None:
    assert ModelSpec.model_validate(spec)
