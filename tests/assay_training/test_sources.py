"""Rows from databases and from S3: real servers, real processes; secrets come and stay in the environment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pytest
import sqlalchemy
from trainer import run

from assay_training.data.database import queried
from assay_training.data.sample import SampleConfig
from assay_training.data.source import read
from assay_training.errors import JobError
from assay_training.spec import Data, Job

Make = Callable[..., Job]
SQL = {"urlSecretRef": {"name": "warehouse"}, "query": "SELECT * FROM churn WHERE state <> 'X:Y';"}


@pytest.fixture
def sqlite(file: Path, tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/churn.db"
    engine = sqlalchemy.create_engine(url)
    pandas.read_csv(file).to_sql("churn", engine, index=False)
    engine.dispose()
    return url


def sql(**more: Any) -> dict[str, Any]:
    return {"uri": None, "sql": SQL, **more}


def test_a_query_trains_as_the_file_does(job: Make, sqlite: str, tmp_path: Path) -> None:
    report, printed = run(job(data=sql()), tmp_path / "log", ASSAY_SQL_URL=sqlite)
    assert report["ok"], printed
    from_file, _ = run(job(number=2), tmp_path / "log")
    assert report["metrics"]["test"] == from_file["metrics"]["test"]
    assert sqlite not in printed


def test_the_database_gives_only_the_columns_that_are_wanted(sqlite: str) -> None:
    data = Data.model_validate({"sql": SQL, "target": "churn", "key": "customer_id"})
    picked: list[list[str]] = []

    def pick(there: list[str]) -> list[str]:
        picked.append(there)
        return ["customer_id", "churn"]

    frame, total = queried(data, pick, SampleConfig("customer_id", 1, None), {"ASSAY_SQL_URL": sqlite})
    assert list(frame.columns) == ["customer_id", "churn"]
    assert (len(frame), total) == (600, 600)
    assert "total_day_minutes" in picked[0]


def test_the_digest_of_a_query_is_that_of_its_rows(sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_SQL_URL", sqlite)
    digests = {}
    for name, query in (
        ("plain", "SELECT * FROM churn"),
        ("ordered", "SELECT * FROM churn ORDER BY total_day_minutes"),
        ("fewer", "SELECT * FROM churn LIMIT 599"),
    ):
        block = {
            "sql": {"urlSecretRef": {"name": "s"}, "query": query},
            "target": "churn",
            "key": "customer_id",
        }
        digests[name] = read(Data.model_validate(block), None).digest
    assert digests["plain"] == digests["ordered"] != digests["fewer"]


@pytest.mark.parametrize(
    ("url", "query", "reason", "words"),
    [
        pytest.param("", "SELECT 1", "InvalidSpec", "urlSecretRef", id="an empty secret"),
        pytest.param(
            "no url at all", "SELECT 1", "InvalidSpec", "no SQLAlchemy URL", id="a secret that is no URL"
        ),
        pytest.param(
            "mysql+pymysql://u:hidden@h/d", "SELECT 1", "InvalidSpec", "psycopg", id="another driver"
        ),
        pytest.param(
            "sqlite:///{db}", "SELECT * FROM nowhere", "DataNotFound", "no such table", id="no table"
        ),
        pytest.param("sqlite:///{db}", "SELEC 1", "DataNotFound", "syntax error", id="no SQL"),
        pytest.param(
            "sqlite:///{db}", "SELECT churn FROM churn", "ColumnMissing", "'customer_id'", id="no key"
        ),
    ],
)
@pytest.mark.usefixtures("sqlite")
def test_a_query_that_cannot_be_is_refused(  # noqa: PLR0917
    job: Make, tmp_path: Path, url: str, query: str, reason: str, words: str
) -> None:
    block = sql(sql={**SQL, "query": query})
    url = url.format(db=tmp_path / "churn.db")
    report, printed = run(job(data=block), tmp_path / "log", ASSAY_SQL_URL=url)
    assert (report["ok"], report["reason"]) == (False, reason)
    assert words in report["message"]
    assert "hidden" not in printed


@pytest.mark.slow
def test_postgresql_serves_rows_and_refuses_wrong_passwords(
    job: Make, file: Path, postgres: str, tmp_path: Path
) -> None:
    engine = sqlalchemy.create_engine(postgres)
    pandas.read_csv(file).to_sql("churn", engine, index=False)
    engine.dispose()
    report, printed = run(job(data=sql()), tmp_path / "log", ASSAY_SQL_URL=postgres)
    assert report["ok"], printed
    wrong = postgres.replace("the-password", "guessed")
    report, printed = run(job(data=sql()), tmp_path / "log", ASSAY_SQL_URL=wrong)
    assert report["reason"] == "DataAccessDenied"
    assert "guessed" not in printed
    writing = sql(sql={**SQL, "query": "INSERT INTO churn (state) VALUES ('KS') RETURNING *"})
    report, _ = run(job(data=writing), tmp_path / "log", ASSAY_SQL_URL=postgres)
    assert not report["ok"]


@pytest.fixture(scope="module")
def s3(s3_server: dict[str, str], s3_client: Any) -> dict[str, str]:
    """The environment of an S3 server with a bucket `lake`."""
    s3_client.create_bucket(Bucket="lake")
    return s3_server


@pytest.mark.slow
def test_s3_gives_the_rows_and_keeps_the_artifact(
    job: Make, file: Path, s3: dict[str, str], s3_client: Any, tmp_path: Path
) -> None:
    client = s3_client
    for number, rows in enumerate((slice(0, 300), slice(300, 600))):
        pandas.read_csv(file)[rows].to_csv(tmp_path / "part.csv", index=False)
        client.upload_file(str(tmp_path / "part.csv"), "lake", f"churn/{number}.csv")
    wanted = job(data={"uri": "s3://lake/churn/*.csv"}, store="s3://lake/artifacts")
    report, printed = run(wanted, tmp_path / "log", **s3)
    assert report["ok"], printed
    assert report["data"]["rows"] == 600
    assert report["artifact"]["uri"].startswith("s3://lake/artifacts/demo/churn/churn-1/")
    names = [item["Key"] for item in client.list_objects_v2(Bucket="lake", Prefix="artifacts/")["Contents"]]
    assert any(name.endswith("manifest.json") for name in names)
    assert s3["AWS_SECRET_ACCESS_KEY"] not in printed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("uri", "change", "reason"),
    [
        pytest.param("s3://lake/nowhere.csv", {}, "DataNotFound", id="no such object"),
        pytest.param("s3://lake/no*.csv", {}, "DataNotFound", id="a pattern that fits nothing"),
        pytest.param(
            "s3://lake/churn.csv", {"AWS_ACCESS_KEY_ID": ""}, "DataAccessDenied", id="no credentials"
        ),
        pytest.param("oss://lake/a.csv", {}, "InvalidSpec", id="a store that the image has no client for"),
    ],
)
def test_s3_refusals_have_reasons(  # noqa: PLR0917
    job: Make, s3: dict[str, str], tmp_path: Path, uri: str, change: dict[str, str], reason: str
) -> None:
    environment = {**s3, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path), **change}
    report, _ = run(job(data={"uri": uri}), tmp_path / "log", **environment)
    assert (report["reason"], uri in report["message"]) == (reason, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({}, "TooFewRows", id="right"),
        pytest.param({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "DataAccessDenied", id="nobody's key"),
        pytest.param({"AWS_SECRET_ACCESS_KEY": "wrong"}, "DataAccessDenied", id="a wrong secret"),
    ],
)
def test_wrong_credentials_are_told_from_missing_data(
    job: Make, strict_s3: dict[str, str], tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    environment = {**strict_s3, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path), **change}
    report, printed = run(job(data={"uri": "s3://lake/churn.csv"}), tmp_path / "log", **environment)
    assert report["reason"] == reason, printed
    assert ("data.secretRef" in report["message"]) is bool(change)
    assert environment["AWS_SECRET_ACCESS_KEY"] not in printed + report["message"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_row_cap_keeps_the_same_rows_in_any_order(file: Path, tmp_path: Path, suffix: str) -> None:
    rows = pandas.read_csv(file)
    kept = []
    for name, frame in (("a", rows), ("b", rows.sample(frac=1, random_state=3))):
        path = tmp_path / f"{name}.{suffix}"
        frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path, index=False)
        data = Data.model_validate({"uri": str(path), "target": "churn", "key": "customer_id"})
        table = read(data, None, rows=SampleConfig("customer_id", 1, 100))
        assert (len(table.frame), table.total) == (100, 600)
        kept.append(set(table.frame.customer_id.astype(str)))
    assert kept[0] == kept[1]


def test_a_sample_of_csv_has_the_types_of_the_whole(file: Path) -> None:
    data = Data.model_validate({"uri": str(file), "target": "churn", "key": "customer_id"})
    whole, some = read(data, None), read(data, None, rows=SampleConfig("customer_id", 0.5, None))
    assert 200 < len(some.frame) < 400
    assert some.frame.dtypes.to_dict() == whole.frame.dtypes.to_dict()


def test_a_cap_holds_while_rows_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay_training.data.files.CHUNK", 500)
    path = tmp_path / "rows.parquet"
    pandas.DataFrame({"id": range(5000), "x": 1.0, "y": [0, 1] * 2500}).to_parquet(path)
    data = Data.model_validate({"uri": str(path), "target": "y", "key": "id"})
    table = read(data, ["x"], rows=SampleConfig("id", 1, 700))
    assert (len(table.frame), table.total) == (700, 5000)
    assert table.frame.id.is_monotonic_increasing


def test_a_cap_below_the_fewest_is_refused(job: Make) -> None:
    with pytest.raises(JobError, match="greater than or equal to 50"):
        job({"split": {"maxRows": 10}})
