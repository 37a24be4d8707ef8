"""Import paths of strangers: only public estimators are called; and no message holds what a pod was given."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_training.errors import JobError
from assay_training.job.secrecy import LONGEST, scrubbed
from assay_training.search.imports import estimator_class


@pytest.mark.parametrize(
    "path",
    [
        "sklearn.ensemble.ExtraTreesClassifier",
        "sklearn.linear_model.LogisticRegression",
        "sklearn.svm.SVC",
        "sklearn.neighbors.KNeighborsClassifier",
        "sklearn.ensemble.HistGradientBoostingRegressor",
        "xgboost.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
        "lightgbm.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
    ],
)
def test_a_public_estimator_is_found(path: str) -> None:
    assert estimator_class(path).__name__ == path.rpartition(".")[2]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("sklearn.utils._testing.assert_run_python_script_without_output", id="runs a program"),
        pytest.param("sklearn.utils._testing.assert_run_python_script", id="runs a program, formerly"),
        pytest.param("sklearn.utils._testing.raises", id="a helper of tests"),
        pytest.param("sklearn.utils._testing.TempMemmap", id="a class of a helper"),
        pytest.param("sklearn.utils._mocking.CheckingClassifier", id="an estimator of tests"),
        pytest.param("sklearn.utils.estimator_checks.check_estimator", id="a public helper"),
        pytest.param("sklearn.utils.estimator_checks.BaseBadClassifier", id="a public estimator of tests"),
        pytest.param("sklearn.tests.test_base.MyEstimator", id="a test"),
        pytest.param("sklearn.conftest.environ", id="the environment of the tests"),
        pytest.param("sklearn.datasets.fetch_openml", id="a download"),
        pytest.param("sklearn.datasets.load_files", id="reads files"),
        pytest.param("sklearn.externals.array_api_compat.numpy.load", id="a library that came along"),
        pytest.param("sklearn.show_versions", id="prints"),
        pytest.param("sklearn.base.clone", id="a function"),
        pytest.param("sklearn.base.BaseEstimator", id="neither fit nor predict"),
        pytest.param("sklearn.base.ClassifierMixin", id="a part of an estimator"),
        pytest.param("sklearn.preprocessing.StandardScaler", id="no predict"),
        pytest.param("sklearn.preprocessing.FunctionTransformer", id="calls what it is given"),
        pytest.param("sklearn.ensemble.BaseEnsemble", id="abstract"),
        pytest.param("sklearn.os.system", id="a module of a module"),
        pytest.param("sklearn.base.os", id="a module"),
        pytest.param("sklearn.base.np", id="another package"),
        pytest.param("sklearn.ensemble._forest.ForestClassifier", id="a private module"),
        pytest.param("sklearn.ensemble.__builtins__", id="dunder"),
        pytest.param("sklearn.linear_model.LogisticRegression.fit", id="a method"),
        pytest.param("xgboost.train", id="xgboost's function"),
        pytest.param("xgboost.Booster", id="no estimator"),
        pytest.param("xgboost.testing.data.get_california_housing", id="xgboost's helpers"),
        pytest.param("xgboost.dask.DaskXGBClassifier", id="reaches a cluster"),
        pytest.param("lightgbm.register_logger", id="lightgbm's function"),
        pytest.param("lightgbm.basic._LIB", id="its C library"),
        pytest.param("os.system", id="the system"),
        pytest.param("builtins.eval", id="eval"),
        pytest.param("sklearnx.ensemble.Evil", id="a name that begins like one"),
        pytest.param("sklearn", id="a package"),
        pytest.param("", id="nothing"),
    ],
)
def test_anything_else_is_refused(path: str) -> None:
    with pytest.raises(JobError, match=r"training\.estimator\.import") as caught:
        estimator_class(path)
    assert caught.value.reason == "InvalidSpec"


def test_a_private_module_is_refused_unimported() -> None:
    """Importing is running code, too."""
    code = """if True:
        import sys
        from assay_training.errors import JobError
        from assay_training.search.imports import estimator_class
        for path in ("sklearn.utils._testing.raises", "xgboost.testing.data.x", "antigravity.x"):
            try:
                estimator_class(path)
            except JobError:
                pass
        print(sorted({"sklearn.utils._testing", "xgboost", "antigravity"} & set(sys.modules)))
    """
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


NAMES = st.sampled_from(["AWS_SECRET_ACCESS_KEY", "ASSAY_SQL_URL", "TOKEN", "MY_PASSWORD"])
VALUES = st.text(min_size=6, max_size=40).filter(lambda value: len(value.strip()) >= 6)


@given(st.dictionaries(NAMES, VALUES, min_size=1), st.text(max_size=30), st.text(max_size=30))
def test_no_value_of_the_environment_is_in_a_message(
    environment: dict[str, str], before: str, after: str
) -> None:
    for value in environment.values():
        found = scrubbed(f"{before}{value}{after}", environment)
        assert found.count(value.strip()) <= "[hidden]".count(value.strip())


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        pytest.param("ASSAY_SQL_URL", "postgresql://me:tr0ub4dor@db/x", "tr0ub4dor", id="a URL's password"),
        pytest.param("DSN", "postgresql://me:tr0ub%40dor@db/x", "tr0ub@dor", id="as it is decoded"),
        pytest.param("DSN", "postgresql://me:tr0ub%40dor@db/x", "tr0ub%40dor", id="as it is written"),
        pytest.param("KEY", "-----BEGIN-----\nMIIEvQ+x/1\n-----END-----", "MIIEvQ+x/1", id="a line of a key"),
        pytest.param("KEY", "first\nsecond-line", r"first\nsecond-line", id="as Python writes it"),
        pytest.param("KEY", "  padded-secret\n", "padded-secret", id="without its blanks"),
    ],
)
def test_a_part_of_a_secret_is_hidden(variable: str, value: str, word: str) -> None:
    assert scrubbed(f"boom: {word}!", {variable: value}) == "boom: [hidden]!"


def test_what_contains_a_secret_is_hidden_whole() -> None:
    assert scrubbed("a-secret-and-more", {"A": "a-secret", "B": "a-secret-and-more"}) == "[hidden]"


def test_a_long_text_is_cut() -> None:
    assert len(scrubbed("x" * 10_000, {})) == LONGEST


def test_short_words_and_the_containers_own_paths_stay() -> None:
    environment = {"OMP_NUM_THREADS": "1", "HOME": "/home/assay", "HOSTNAME": "churn-2-trainer-x"}
    message = "data.uri /home/assay/1.csv of churn-2-trainer-x"
    assert scrubbed(message, environment) == message


def test_the_termination_message_of_a_job_holds_no_secret(tmp_path: Path) -> None:
    """The whole process: a path that holds a secret cannot be read, and the report would quote it."""
    secret = "tr0ub4dor-and-3"
    data = {"uri": f"{tmp_path}/{secret}.csv", "target": "y", "key": "k"}
    job = {
        **{"model": "m", "namespace": "n", "version": "m-1", "number": 1, "store": str(tmp_path)},
        **{"path": "n/m/m-1", "task": "Classification", "training": {"data": data}, "gates": []},
    }
    log = tmp_path / "log"
    given = {"ASSAY_JOB": json.dumps(job), "ASSAY_TERMINATION_LOG": str(log), "TEAM_PASSWORD": secret}
    done = subprocess.run(
        [sys.executable, "-m", "assay_training"], env=os.environ | given, check=False, timeout=120
    )
    found = json.loads(log.read_text())
    assert (done.returncode, found["ok"], found["reason"]) == (1, False, "DataNotFound")
    assert "[hidden].csv" in found["message"]
    assert secret not in log.read_text()
