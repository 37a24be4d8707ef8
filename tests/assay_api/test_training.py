"""What the Model's schema promises of training is what the training Job understands."""

import pytest
from pydantic import BaseModel

from assay_api import training as promised
from assay_training import spec as understood


def fields(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


@pytest.mark.parametrize(
    "name",
    [
        "Data",
        "Contract",
        "ColumnRules",
        "Split",
        "Features",
        "Tuning",
        "SearchRange",
        "Estimator",
        "Threshold",
        "Training",
        "Gate",
    ],
)
def test_every_promised_field_is_understood(name: str) -> None:
    assert fields(getattr(promised, name)) <= fields(getattr(understood, name))


def test_a_default_means_the_same_on_both_sides() -> None:
    data = {"data": {"uri": "file:///x.csv", "target": "y", "key": "id"}}
    ours = promised.Training.model_validate(data)
    theirs = understood.Training.model_validate(
        ours.model_dump(mode="json", by_alias=True, exclude_none=True)
    )
    assert theirs == understood.Training.model_validate(data)
