"""The examples are Models, and those that need nobody else train and pass."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay_api import Model
from assay_training.__main__ import parse
from assay_training.job.training import train

FOLDER = Path(__file__).parents[2] / "examples/training"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))


def model(path: Path) -> Model:
    body = yaml.safe_load(path.read_text())
    body["metadata"] |= {"namespace": "examples", "uid": "u"}
    return Model.model_validate(body)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_a_model_that_a_job_understands(path: Path) -> None:
    spec = model(path).spec
    if spec.training:
        assert parse(job(path, {})).training == spec.training
    else:
        assert spec.evaluation


def job(path: Path, changes: dict[str, Any]) -> str:
    spec = model(path).spec.source.model_dump(mode="json", by_alias=True, exclude_none=True)
    training = spec["training"]
    for name, change in changes.items():
        training[name] = {**training.get(name, {}), **change}
    fields = {
        "model": path.stem,
        "namespace": "n",
        "version": "v-1",
        "number": 1,
        "path": "p",
        "store": "file:///s",
    }
    return json.dumps(fields | {"task": spec["task"], "training": training, "gates": spec["gates"]})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fewer"),
    [
        pytest.param("caravan", {"tuning": {"trials": 2}}, id="caravan"),
        pytest.param(
            "bikes",
            {
                "tuning": {"trials": 1},
                "split": {"test": 0.2, "group": "day", "maxRows": 3000},
                "params": {"HistGradientBoosting": {"max_iter": 20}},
            },
            id="bikes",
        ),
        pytest.param("credit", {}, id="credit"),
        pytest.param("reviews", {"tuning": {"trials": 1}}, id="reviews"),
        pytest.param("tumours", {"tuning": {"trials": 2}}, id="tumours"),
        pytest.param(
            "birds", {"tuning": {"trials": 1, "parallelism": 1}, "split": {"maxRows": 1500}}, id="birds"
        ),
    ],
)
def test_an_example_passes_its_gates(name: str, fewer: dict[str, Any], tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("prepare_examples", FOLDER / "prepare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = tmp_path / f"{name}.csv"
    module.tables()[name].to_csv(path, index=False)
    here = {"data": {"uri": str(path)}}
    spec = json.loads(job(FOLDER / f"{name}.yaml", fewer | here)) | {"store": f"file://{tmp_path}/store"}
    report = train(parse(json.dumps(spec)))
    assert report["passed"], report["gates"]
