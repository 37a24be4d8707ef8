"""Each hardship of a real process ends in a reason that says what, where and what to do; nothing stays half.

The same at the level of functions, with more cases, is in test_bad_input.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from assay_training.spec import Job

Make = Callable[..., Job]
Damage = Callable[[pandas.DataFrame], pandas.DataFrame]


def process(
    job: Job, tmp_path: Path, largest: int | None = None, **environment: str
) -> tuple[int, dict[str, Any]]:
    """Exit code and last words; `largest` bounds every file that the process writes, as a full disk does."""

    def bound() -> None:
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    own = {
        **os.environ, "ASSAY_JOB": job.model_dump_json(by_alias=True),
        "ASSAY_TERMINATION_LOG": str(tmp_path / "last-words"), **environment,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "assay_training"],
        env=own,
        preexec_fn=bound,
        capture_output=True,
        check=False,
    )
    return done.returncode, json.loads((tmp_path / "last-words").read_bytes())


def visible(tmp_path: Path) -> list[Path]:
    """What a reader of the store could take for an artifact, or for a part of one."""
    store = tmp_path / "store"
    return [path for path in store.rglob("*") if path.is_file() and ".study" not in path.parts]


def without_state(rows: pandas.DataFrame) -> pandas.DataFrame:
    return rows.drop(columns="state")


def codes(rows: pandas.DataFrame) -> pandas.DataFrame:
    many = pandas.concat([rows] * 20, ignore_index=True)
    return many.assign(customer_id=range(12_000), code=[f"c{number % 10_000}" for number in range(12_000)])


def null_target(rows: pandas.DataFrame) -> pandas.DataFrame:
    return rows.assign(churn=rows.churn.where(rows.index != 4))


STATE = {"features": {"categorical": ["state"]}}
HARDSHIPS = [
    pytest.param(lambda rows: rows.head(0), {}, "DataEmpty", ["no rows"], id="empty file"),
    pytest.param(without_state, STATE, "ColumnMissing", ["'state'", "it has customer_id"], id="no column"),
    pytest.param(
        lambda rows: rows.assign(state=np.nan), {}, "ColumnAllNull", ["'state'", "600"], id="all null"
    ),
    pytest.param(
        lambda rows: rows.assign(churn="no"), {}, "TargetConstant", ["class 'no'"], id="single class"
    ),
    pytest.param(
        lambda rows: rows.assign(customer_id=7), {}, "KeyNotUnique", ["600 rows"], id="key not unique"
    ),
    pytest.param(
        lambda rows: rows.assign(left=rows.churn), {}, "TargetLeaks", ["'left'"], id="target leaking"
    ),
    pytest.param(null_target, {}, "TargetNull", ["1 of 600", "row 5"], id="NaN target"),
    pytest.param(
        codes, {}, "TooManyCategories", ["'code' has 10000", "training.features"], id="10,000 values"
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("damage", "training", "reason", "words"), HARDSHIPS)
def test_bad_rows_end_the_process_with_their_reason(  # noqa: PLR0917
    job: Make,
    file: Path,
    tmp_path: Path,
    damage: Damage,
    training: dict[str, Any],
    reason: str,
    words: list[str],
) -> None:
    damage(pandas.read_csv(file)).to_csv(file, index=False)
    code, report = process(job(training), tmp_path)
    assert (code, report["ok"], report["reason"]) == (1, False, reason)
    assert [word for word in words if word not in report["message"]] == []
    assert visible(tmp_path) == []


@pytest.mark.slow
def test_parquet_that_is_none_ends_the_process_with_its_reason(job: Make, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 and then nothing")
    code, report = process(job(data={"uri": str(path)}), tmp_path)
    assert (code, report["reason"]) == (1, "DataUnreadable")
    assert "rows.parquet" in report["message"]


@pytest.mark.slow
def test_a_disk_that_is_full_while_the_artifact_is_written_leaves_nothing_visible(
    job: Make, tmp_path: Path
) -> None:
    block = {"algorithms": ["HistGradientBoosting"], "params": {"HistGradientBoosting": {"max_iter": 150}}}
    code, report = process(job(block), tmp_path, largest=40_000)
    assert (code, report["reason"]) == (1, "ArtifactFailed")
    assert "nothing is visible" in report["message"]
    assert visible(tmp_path) == []
    code, report = process(job(block), tmp_path)
    assert (code, report["ok"]) == (0, True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A store on a disk of its own, with room for little."""
    place = tmp_path / "store"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.slow
def test_a_small_disk_that_is_full_has_its_reason_and_no_half_of_an_artifact(
    job: Make, tmp_path: Path, small_disk: Path
) -> None:
    block = {"algorithms": ["HistGradientBoosting"], "params": {"HistGradientBoosting": {"max_iter": 150}}}
    study = tmp_path / "study"
    code, report = process(job(block), tmp_path, ASSAY_STUDY_DIR=str(study))
    assert (code, report["reason"]) == (1, "ArtifactFailed")
    assert "No space left on device" in report["message"]
    assert "nothing is visible" in report["message"]
    assert visible(tmp_path) == []
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    code, report = process(job(block), tmp_path, ASSAY_STUDY_DIR=str(study))
    assert (code, report["ok"]) == (0, True)


@pytest.mark.slow
def test_secrets_of_a_refused_database_are_not_told(job: Make, tmp_path: Path) -> None:
    block = {"uri": None, "sql": {"urlSecretRef": {"name": "s"}, "query": "SELECT 1"}}
    url = "postgresql+psycopg://somebody:tr0ub4dor@127.0.0.1:1/nowhere"
    code, report = process(job(data=block), tmp_path, ASSAY_SQL_URL=url)
    assert (code, report["reason"]) == (1, "DataNotFound")
    assert "tr0ub4dor" not in json.dumps(report)
