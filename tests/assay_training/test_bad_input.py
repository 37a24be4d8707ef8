"""Each way in which data or spec can be wrong ends in a reason, and says what, where, and what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from assay_training.errors import JobError
from assay_training.job.training import train
from assay_training.spec import Job

Make = Callable[..., Job]

Damage = Callable[[pandas.DataFrame], pandas.DataFrame]


def words(count: int) -> list[str]:
    return [f"id-{number}" for number in range(count)]


def copies(rows: pandas.DataFrame) -> pandas.DataFrame:
    ids = words(3 * len(rows))
    return pandas.concat([rows] * 3, ignore_index=True).assign(customer_id=ids, code=ids)


def leaking(rows: pandas.DataFrame) -> pandas.DataFrame:
    return rows.assign(left=rows.churn.map({"yes": "gone", "no": "here"}))


def without(column: str) -> Damage:
    return lambda rows: rows.drop(columns=column)


def null(column: str, row: int) -> Damage:
    return lambda rows: rows.assign(**{column: rows[column].mask(rows.index == row)})


DAMAGES = [
    pytest.param(lambda rows: rows.head(0), "DataEmpty", "no rows", id="a header without rows"),
    pytest.param(lambda rows: rows.head(20), "TooFewRows", "20 rows", id="a handful of rows"),
    pytest.param(without("churn"), "ColumnMissing", "'churn'", id="no target column"),
    pytest.param(without("customer_id"), "ColumnMissing", "'customer_id'", id="no key column"),
    pytest.param(lambda rows: rows.assign(state=np.nan), "ColumnAllNull", "'state'", id="a column of nulls"),
    pytest.param(lambda rows: rows.assign(churn="no"), "TargetConstant", "class 'no'", id="a single class"),
    pytest.param(null("churn", 7), "TargetNull", "first in row 8", id="a null target"),
    pytest.param(
        lambda rows: rows.assign(customer_id=rows.customer_id.replace(2, 1)),
        "KeyNotUnique",
        "2 rows share",
        id="a key twice",
    ),
    pytest.param(null("customer_id", 3), "KeyNull", "first in row 4", id="a null key"),
    pytest.param(leaking, "TargetLeaks", "'left'", id="a copy of the target"),
    pytest.param(copies, "TooManyCategories", "'code' has 1800", id="an identifier among the features"),
    pytest.param(
        lambda rows: rows.assign(churn=["yes"] * 2 + ["no"] * 598),
        "TooFewRows",
        "class 'yes' (2",
        id="two rows of a class",
    ),
]


@pytest.mark.parametrize(("damage", "reason", "words"), DAMAGES)
def test_damaged_data_is_refused_with_its_reason(
    job: Make, file: Path, damage: Damage, reason: str, words: str
) -> None:
    damage(pandas.read_csv(file)).to_csv(file, index=False)
    with pytest.raises(JobError) as refusal:
        train(job())
    assert refusal.value.reason == reason
    assert words in refusal.value.message
    assert not (file.parent / "store").exists()


def test_a_missing_file_is_named(job: Make) -> None:
    with pytest.raises(JobError, match=r"nowhere\.csv") as refusal:
        train(job(data={"uri": "/data/nowhere.csv"}))
    assert refusal.value.reason == "DataNotFound"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        pytest.param("churn.csv", b"", "DataEmpty", id="an empty file"),
        pytest.param("churn.csv", b'a,b\n"1,2\n3', "DataUnreadable", id="an open quotation"),
        pytest.param("churn.csv", b"\xff\xfe\x00\x01churn", "DataUnreadable", id="bytes that are no text"),
        pytest.param("churn.csv.gz", b"not compressed", "DataUnreadable", id="a wrong suffix"),
        pytest.param("churn.parquet", b"PAR1 and then nothing", "DataUnreadable", id="broken parquet"),
        pytest.param("churn.xlsx", b"anything", "InvalidSpec", id="an unknown suffix"),
    ],
)
def test_unreadable_files_are_refused(
    job: Make, tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(JobError) as refusal:
        train(job(data={"uri": str(tmp_path / name)}))
    assert refusal.value.reason == reason
    assert name in refusal.value.message


@pytest.mark.parametrize(
    ("change", "fields", "reason", "words"),
    [
        pytest.param(
            {"metric": {"name": "rmse"}}, {}, "MetricUnfit", "rocAuc", id="a metric of the other task"
        ),
        pytest.param({"metric": {"name": "beauty"}}, {}, "InvalidSpec", "beauty", id="an unknown metric"),
        pytest.param(
            {},
            {"gates": [{"metric": "r2", "min": 0}]},
            "MetricUnfit",
            "gates[0]",
            id="a gate of the other task",
        ),
        pytest.param(
            {"algorithms": ["LinearRegression"]},
            {},
            "AlgorithmUnfit",
            "LogisticRegression",
            id="an algorithm",
        ),
        pytest.param({"algorithms": ["Magic"]}, {}, "InvalidSpec", "Magic", id="an unknown algorithm"),
        pytest.param({"tunning": {}}, {}, "InvalidSpec", "tunning", id="an unknown field"),
        pytest.param({"split": {"test": 0.9}}, {}, "InvalidSpec", "split.test", id="a share out of bounds"),
        pytest.param(
            {"features": {"numeric": ["state"]}}, {}, "ColumnMistyped", "'state'", id="words as numbers"
        ),
        pytest.param(
            {"features": {"numeric": ["age"]}}, {}, "ColumnMissing", "'age'", id="a feature that is not there"
        ),
        pytest.param(
            {"features": {"numeric": ["churn"]}}, {}, "InvalidSpec", "data.target", id="the target as feature"
        ),
        pytest.param(
            {},
            {"gates": [{"metric": "recall"}]},
            "InvalidSpec",
            "at least one of min",
            id="a gate without a rule",
        ),
        pytest.param(
            {"tuning": {"timeout": "soon"}}, {}, "InvalidSpec", "'soon'", id="a duration that is none"
        ),
        pytest.param(
            {"params": {"LogisticRegression": {"depth": 3}}},
            {},
            "InvalidSpec",
            "depth",
            id="an unknown parameter",
        ),
        pytest.param(
            {"estimator": {"import": "os.system"}}, {}, "InvalidSpec", "import", id="a stranger's code"
        ),
        pytest.param(
            {"estimator": {"import": "sklearn.nothing.Here"}},
            {},
            "InvalidSpec",
            "sklearn.nothing",
            id="no such class",
        ),
        pytest.param(
            {"monotonic": {"state": "Increasing"}},
            {},
            "AlgorithmUnfit",
            "Hist",
            id="a constraint nobody keeps",
        ),
        pytest.param({}, {"task": "Regression"}, "AlgorithmUnfit", "LinearRegression", id="the wrong task"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(
    job: Make, change: dict[str, Any], fields: dict[str, Any], reason: str, words: str
) -> None:
    with pytest.raises(JobError) as refusal:
        train(job(change, **fields))
    assert refusal.value.reason == reason
    assert words in refusal.value.message


def test_a_regression_on_words_is_refused(job: Make) -> None:
    with pytest.raises(JobError, match="use task Classification") as refusal:
        train(job({"algorithms": ["LinearRegression"]}, task="Regression"))
    assert refusal.value.reason == "TargetUnfit"


def test_an_unknown_positive_class_is_refused(job: Make) -> None:
    with pytest.raises(JobError, match="none of the classes no, yes"):
        train(job(data={"positive": "maybe"}))


def test_a_champion_that_is_not_what_its_digest_says_is_refused(job: Make, tmp_path: Path) -> None:
    gates = [{"metric": "rocAuc", "notWorseThanChampionBy": 0.01}]
    champion = {"uri": f"file://{tmp_path}/gone", "digest": "sha256:" + "0" * 64}
    with pytest.raises(JobError, match="champion") as refusal:
        train(job(gates=gates, champion=champion))
    assert refusal.value.reason == "ChampionUnreadable"


def test_a_store_that_refuses_leaves_nothing(job: Make, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where a folder should be")
    with pytest.raises(JobError, match="nothing is visible") as refusal:
        train(job())
    assert refusal.value.reason == "ArtifactFailed"
