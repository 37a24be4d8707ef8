"""A plan is as good as its worst difference from the pipeline that it stands for."""

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from assay_artifact import Feature, Manifest, fetch, load, write
from assay_artifact.compilation import planned
from assay_artifact.plan.predictor import PlanPredictor, read
from assay_artifact.plan.scoring import Trees
from assay_artifact.readers.estimator import EstimatorPredictor
from assay_artifact.table import from_columns

NUMBERS, TEXTS = ["age", "spend", "active"], ["plan", "région"]
ONE_HOT = make_pipeline(
    SimpleImputer(strategy="constant", fill_value=""),
    OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=3, sparse_output=False),
)
ORDINAL = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=254)
SCALED = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
BOOSTED = ColumnTransformer([("c", ORDINAL, TEXTS), ("n", "passthrough", NUMBERS)], sparse_threshold=0)
DENSE = ColumnTransformer([("c", ONE_HOT, TEXTS), ("n", SCALED, NUMBERS)], sparse_threshold=0.3)
FILLED = ColumnTransformer([("c", ONE_HOT, TEXTS), ("n", SimpleImputer(strategy="mean"), NUMBERS)])

PLANNED = {
    "boosting of ordinals and numbers with holes": (BOOSTED, HistGradientBoostingClassifier(max_iter=12)),
    "boosting of three classes": (BOOSTED, HistGradientBoostingClassifier(max_iter=5)),
    "boosting of counts": (BOOSTED, HistGradientBoostingRegressor(loss="poisson", max_iter=8)),
    "a linear model of three classes": (DENSE, LogisticRegression()),
    "a forest with filled holes": (FILLED, RandomForestClassifier(30, max_depth=12, random_state=0)),
    "a forest that sees the holes": (BOOSTED, ExtraTreesClassifier(10, random_state=0)),
    "one tree": (BOOSTED, DecisionTreeClassifier(max_depth=5)),
}
UNPLANNED = {
    "a step that makes products": (
        make_pipeline(SimpleImputer(), PolynomialFeatures()),
        LogisticRegression(),
    ),
    "an imputer that adds columns": (SimpleImputer(add_indicator=True), LogisticRegression()),
    "an estimator that isn't known": (SimpleImputer(), GaussianNB()),
}


def rows(count: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, count).astype(float),
            "plan": rng.choice(
                ["basic", "pro", "ünïcødé", "rare", "rarer"], count, p=[0.4, 0.3, 0.2, 0.07, 0.03]
            ),
            "spend": rng.lognormal(3, 1, count),
            "région": rng.choice(["n", "s"], count),
            "active": (rng.random(count) < 0.5).astype(float),
        }
    ).astype({"plan": object, "région": object})
    frame.loc[::7, ["age", "plan"]] = np.nan
    frame.loc[::9, "spend"] = np.nan
    return frame


def fitted(title: str, churn: Any) -> tuple[Any, Manifest]:
    steps, estimator = (PLANNED | UNPLANNED)[title]
    frame = rows()
    score = frame["age"].fillna(50) / 40 + frame["spend"].fillna(0) / 60 + (frame["plan"] == "pro")
    kind = 3 if "three" in title else 2
    counts = "counts" in title
    target = np.floor(score * 3) if counts else pd.qcut(score, kind, labels=False)
    features = churn.FEATURES
    if title in UNPLANNED:
        frame, features = frame[NUMBERS], tuple(f for f in features if f.name in NUMBERS)
    model = make_pipeline(steps, estimator).fit(frame, target)
    form = {"task": "Regression", "classes": None} if counts else {"classes": tuple(range(kind))}
    return model, churn.manifest("logistic", features=features, **form)


def stored(title: str, churn: Any, folder: Path) -> tuple[EstimatorPredictor, PlanPredictor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, manifest = fitted(title, churn)
        offline = EstimatorPredictor(model, manifest)
        content = planned(offline, manifest)
    assert content is not None, f"{title} has no plan"
    (folder / "plan.npz").write_bytes(content)
    return offline, read(folder / "plan.npz", manifest)


def same(left: Any, right: Any) -> None:
    for ours, theirs in zip(left, right, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("title", PLANNED)
@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_a_plan_has_the_same_bits_as_its_pipeline(churn: Any, tmp_path: Path, title: str) -> None:
    offline, plan = stored(title, churn, tmp_path)
    for count in (1, 2, 16, 3000):
        new = rows(count, seed=5)
        same(plan.predict(new), offline.predict(new))


@pytest.mark.parametrize("title", UNPLANNED)
@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_what_is_not_known_for_certain_has_no_plan(churn: Any, title: str) -> None:
    model, manifest = fitted(title, churn)
    assert planned(EstimatorPredictor(model, manifest), manifest) is None


def test_text_has_no_plan_and_is_served_as_it_is(churn: Any, tmp_path: Path) -> None:
    frame = rows().assign(plan=rows()["plan"].fillna(""))
    steps = make_column_transformer((TfidfVectorizer(), "plan"), (SimpleImputer(), ["age"]))
    model = make_pipeline(steps, LogisticRegression()).fit(frame, frame["active"] > 0)
    manifest = churn.manifest("logistic", classes=(False, True))
    there = write(tmp_path.as_uri(), {"model.skops": skops.io.dumps(model)}, manifest)
    predictor = load(tmp_path / "c", fetch(there.uri, there.digest, tmp_path / "c"))
    assert predictor.manifest.plan is None
    assert len(predictor.predict(frame)) == len(frame)


VALUES = st.one_of(
    st.none(),
    st.floats(allow_infinity=False),
    st.integers(-(10**18), 10**18),
    st.sampled_from([0.0, -0.0, 1e-320, 1e308, -1e308, 3.4028235e38, 3.5e38]),
)
WORDS = st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["basic", "pro", "ünïcødé", "rare"]))
ROWS = st.lists(
    st.fixed_dictionaries({"age": VALUES, "plan": WORDS, "spend": VALUES, "région": WORDS, "active": VALUES}),
    min_size=1,
    max_size=20,
)
MODELS: dict[str, tuple[EstimatorPredictor, PlanPredictor]] = {}


@pytest.fixture
def models(churn: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    for title in PLANNED:
        if title not in MODELS:
            MODELS[title] = stored(title, churn, tmp_path_factory.mktemp("plan"))
    return MODELS


def outcome(predictor: Any, columns: Any) -> Any:
    try:
        return predictor.predict(columns)
    except ValueError:
        return None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_rows=ROWS, title=st.sampled_from(sorted(PLANNED)))
@pytest.mark.filterwarnings("ignore")
def test_odd_rows_get_the_same_bits_or_the_same_refusal(
    models: Any, given_rows: list[dict[str, Any]], title: str
) -> None:
    offline, plan = models[title]
    table = from_columns(pd.DataFrame(given_rows, dtype=object), plan.manifest.features)
    ours, theirs = outcome(plan, table), outcome(offline, table)
    assert (ours is None) == (theirs is None)
    if ours is not None:
        same(ours, theirs)


def test_the_plan_of_the_same_pipeline_has_the_same_bytes(churn: Any) -> None:
    model, manifest = fitted("a forest with filled holes", churn)
    offline = EstimatorPredictor(model, manifest)
    assert planned(offline, manifest) == planned(offline, manifest)


def test_a_version_with_a_plan_is_served_without_its_library(artifact: Any, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, assay_artifact as a; into = pathlib.Path(sys.argv[3]);"
        "model = a.load(into, a.fetch(sys.argv[1], sys.argv[2], into)); model.predict({'age': [3, None]});"
        "print(sorted({'sklearn', 'pandas', 'skops', 'scipy'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, artifact.uri, artifact.digest, str(tmp_path / "copy")]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_manifest_that_was_fetched_can_be_written_again_with_other_files(
    artifact: Any, tmp_path: Path
) -> None:
    fetched = fetch(artifact.uri, artifact.digest, tmp_path / "copy")
    changed = fetched.model_copy(update={"format": "onnx", "file": "model.onnx"})
    there = write((tmp_path / "next").as_uri(), {"model.onnx": b"graph"}, changed)
    assert fetch(there.uri, there.digest, tmp_path / "onnx").plan is None


def test_a_hostile_table_of_nodes_can_neither_read_elsewhere_nor_loop(churn: Any, tmp_path: Path) -> None:
    _, plan = stored("one tree", churn, tmp_path)
    trees = plan.plan.model
    assert isinstance(trees, Trees)
    trees.child[:] = 10**9
    with pytest.raises(IndexError):
        plan.predict(rows(1))
    trees.child[:] = 0
    assert len(plan.predict(rows(1))) == 1


def test_numbers_alone_need_no_column_transformer(churn: Any) -> None:
    features = tuple(Feature(name=name, type="number") for name in NUMBERS)
    frame = rows()[NUMBERS].fillna(0)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, frame["active"] > 0)
    manifest = churn.manifest("logistic", classes=(False, True), features=features)
    assert planned(EstimatorPredictor(model, manifest), manifest)
