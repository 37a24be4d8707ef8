"""From raw named rows to an estimator's input, inside the artifact: clients never preprocess.

Only classes of scikit-learn are used, as the predictor's image has no code of this package.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, SplineTransformer, StandardScaler

from assay_training.data.columns import Inputs

Style = Literal["linear", "forest", "boosting"]

MOST_COLUMNS = 100  # one-hot columns of a wide category; rarer values share one
PERIODS = {"hour": 86_400.0, "weekday": 604_800.0, "season": 31_556_952.0}  # in seconds
KNOTS = 8
MOST_WORDS = 20_000
TOPICS = 50  # dense columns that trees get in place of words


def pipeline(estimator: Any, style: Style, inputs: Inputs, seed: int) -> Pipeline:
    """An unfitted pipeline that takes a frame of `inputs`.

    Args:
        estimator: The last step.
        style: What it likes: linear models and neighbours want scaled dense or sparse columns, forests want
            no gaps, boosting takes numbers and categories as they are.
        inputs: The features.
        seed: For the compression of texts.
    """
    plain = style == "boosting" and not (inputs.text or inputs.dates or inputs.categorical)
    if plain and type(estimator).__module__.startswith("sklearn."):  # others object to names of columns
        return Pipeline([("model", estimator)])  # takes the rows as they are, without a copy of them
    steps = [("fill", _filled(inputs.text))] if inputs.text else []
    return Pipeline([*steps, ("encode", _encoder(style, inputs, seed)), ("model", estimator)])


def _filled(texts: Sequence[str]) -> ColumnTransformer:
    """Texts without nulls, as a frame, so that the next step can take each as one column of strings."""
    fill = SimpleImputer(strategy="constant", fill_value="")
    columns = ColumnTransformer(
        [("text", fill, list(texts))], remainder="passthrough", verbose_feature_names_out=False
    )
    return columns.set_output(transform="pandas")


def _encoder(style: Style, inputs: Inputs, seed: int) -> ColumnTransformer:
    parts: list[tuple[str, Any, Any]] = []
    if narrow := [name for name in inputs.categorical if name not in inputs.wide]:
        parts.append(("categories", _categories(style), narrow))
    if inputs.wide:
        parts.append(("wide categories", _categories(style, most=MOST_COLUMNS), list(inputs.wide)))
    if inputs.numeric:
        parts.append(("numbers", _numbers(style), inputs.numeric))
    if inputs.dates:
        parts.append(("dates", _numbers(style), inputs.dates))
        parts += [
            (name, _periodic(seconds, len(inputs.dates)), inputs.dates) for name, seconds in PERIODS.items()
        ]
    parts += [(f"text {name}", _text(style, seed), name) for name in inputs.text]
    return ColumnTransformer(parts, sparse_threshold=0.3 if style == "linear" else 0.0)


def _categories(style: Style, most: int | None = None) -> Any:
    fill = SimpleImputer(strategy="constant", fill_value="")
    if style == "boosting":
        return make_pipeline(fill, OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan))
    rare = "ignore" if most is None else "infrequent_if_exist"
    return make_pipeline(
        fill, OneHotEncoder(handle_unknown=rare, max_categories=most, sparse_output=most is not None)
    )


def _numbers(style: Style) -> Any:
    if style == "boosting":
        return "passthrough"
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return make_pipeline(fill, StandardScaler()) if style == "linear" else fill


def _periodic(seconds: float, columns: int) -> Any:
    """Where a moment is within its day, week or year, as smooth bumps that join at the ends."""
    knots = np.tile(np.linspace(0, seconds, KNOTS)[:, None], columns)
    return SplineTransformer(
        knots=knots, extrapolation="periodic", include_bias=False, handle_missing="zeros"
    )  # a null is in no hour and on no weekday


def _text(style: Style, seed: int) -> Any:
    words = TfidfVectorizer(sublinear_tf=True, max_features=MOST_WORDS)
    return words if style == "linear" else make_pipeline(words, TruncatedSVD(TOPICS, random_state=seed))
