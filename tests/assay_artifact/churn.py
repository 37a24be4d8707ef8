"""Fitted pipelines on a small table with numbers, categories and holes, as the trainer makes them."""

import functools
import json
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import skops.io
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from assay_artifact import Feature, Manifest, Written, columns, from_columns, write

FEATURES = (
    Feature(name="age", type="number"),
    Feature(name="plan", type="category"),
    Feature(name="spend", type="number"),
    Feature(name="région", type="category"),
    Feature(name="active", type="boolean"),
)
ESTIMATORS = {
    "logistic": LogisticRegression,
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=15, random_state=0),
    "forest": lambda: RandomForestClassifier(20, max_depth=6, random_state=0),
    "xgboost": lambda: xgboost.XGBClassifier(n_estimators=15, max_depth=3),
    "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=15, verbose=-1),
    "ridge": Ridge,
    "numbers": LogisticRegression,
    "boosted-regression": lambda: HistGradientBoostingRegressor(max_iter=15, random_state=0),
    "forest-regression": lambda: RandomForestRegressor(10, max_depth=5, random_state=0),
}
REGRESSIONS = {"ridge", "boosted-regression", "forest-regression"}
VOUCHED = {
    "xgboost": ("xgboost.core.Booster", "xgboost.sklearn.XGBClassifier"),
    "lightgbm": ("lightgbm.basic.Booster", "lightgbm.sklearn.LGBMClassifier"),
}


@functools.cache
def raw(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """Return raw data as a CSV file gives it."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, rows).astype(float),
            "plan": rng.choice(["basic", "pro", "ünïcødé"], rows).astype(object),
            "spend": rng.lognormal(3, 1, rows),
            "région": rng.choice(["n", "s"], rows).astype(object),
            "active": rng.random(rows) < 0.5,
        }
    )
    frame.loc[::7, "age"] = np.nan
    frame.loc[::11, "plan"] = np.nan
    return frame


def table(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(columns(from_columns(frame, FEATURES), FEATURES))


def preprocessing() -> Any:
    return make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["age", "spend", "active"]),
        (
            make_pipeline(
                SimpleImputer(strategy="constant", fill_value="missing"),
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            ),
            ["plan", "région"],
        ),
    )


@functools.cache
def fitted(name: str) -> Pipeline:
    """Return a pipeline that takes the canonical form of raw rows."""
    frame = raw()
    score = (frame["age"].fillna(50) / 40 + frame["spend"] / 60 + (frame["plan"] == "pro")).to_numpy()
    target = score if name in REGRESSIONS else np.where(score > np.median(score), "stays", "leaves")
    if name == "numbers":
        return make_pipeline(StandardScaler(), LogisticRegression()).fit(
            frame[["age", "spend"]].fillna(0), target
        )
    if name == "xgboost":
        target = (target == "stays").astype(int)
    return make_pipeline(preprocessing(), ESTIMATORS[name]()).fit(table(frame), target)


def manifest(name: str, **changes: Any) -> Manifest:
    regression = name in REGRESSIONS
    fields = {
        "model": "churn",
        "version": f"churn-{name}",
        "task": "Regression" if regression else "Classification",
        "format": "skops",
        "file": "model.skops",
        "features": FEATURES
        if name != "numbers"
        else tuple(f for f in FEATURES if f.name in {"age", "spend"}),
        "target": "churn",
        "classes": None if regression else ("leaves", "stays"),
        "positions": name == "xgboost",
        "trusted_types": VOUCHED.get(name, ()),
    }
    return Manifest(**{**fields, **changes})


def written(
    folder: Path, name: str = "logistic", more: dict[str, bytes] | None = None, **changes: Any
) -> Written:
    model = skops.io.dumps(fitted(name))
    rows = raw(60, seed=9)
    sample = {"rows": rows.astype(object).where(rows.notna(), None).to_dict("list")}
    files = {"model.skops": model, "sample.json": json.dumps(sample).encode(), **(more or {})}
    return write(folder.as_uri(), files, manifest(name, **changes))
