"""Reads the preprocessing of a fitted pipeline; whatever it doesn't know for certain, it refuses."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from assay_artifact.manifest import Feature
from assay_artifact.plan.encoding import Encoding, Lookup, Numbers
from assay_artifact.table import NUMERIC, numeric, objects, textual

UNSEEN = "\x00 no category has this name"
ENCODERS = (OneHotEncoder, OrdinalEncoder)


class UnsupportedError(Exception):
    """The pipeline has no plan; it is served as it is."""


def encoding(steps: Sequence[Any], features: Sequence[Feature]) -> Encoding:
    """Return what the steps before the model compute.

    Raises:
        UnsupportedError: A step isn't known.
    """
    if len(steps) == 1 and type(steps[0]) is ColumnTransformer:
        return _by_columns(steps[0], features)
    part = _numbers(steps, features, features, 0)
    return Encoding(np.zeros(len(features)), (part,))


def flat(step: Any) -> list[Any]:
    """Return the steps of a pipeline, and of the pipelines in it."""
    if type(step) is Pipeline:
        return [inner for _, part in step.steps for inner in flat(part)]
    if isinstance(step, str) and step == "passthrough":
        return []
    if type(step) is FunctionTransformer and step.func is None:
        return []
    return [step]


def _by_columns(transformer: ColumnTransformer, features: Sequence[Feature]) -> Encoding:
    named = {feature.name: feature for feature in features}
    width = max(part.stop for part in transformer.output_indices_.values())
    constant = np.zeros(width)
    parts: list[Numbers | Lookup] = []
    for name, step, columns in transformer.transformers_:
        place = transformer.output_indices_[name]
        if place.start == place.stop:
            continue
        chosen = [_feature(column, named, features) for column in _listed(columns)]
        if all(feature.type in NUMERIC for feature in chosen):
            parts.append(_numbers(flat(step), chosen, features, place.start))
        elif isinstance(step, str) or any(feature.type in NUMERIC for feature in chosen):
            raise UnsupportedError(f"{name} mixes numbers and texts")
        else:
            constant[place], lookups = _lookups(step, chosen, features, place.start)
            parts += lookups
    return Encoding(constant, tuple(parts))


def _listed(columns: Any) -> list[Any]:
    if isinstance(columns, str) or not isinstance(columns, Sequence | np.ndarray | pd.Index):
        raise UnsupportedError(f"columns {columns!r}")
    return list(columns)


def _feature(column: Any, named: dict[str, Feature], features: Sequence[Feature]) -> Feature:
    if isinstance(column, str) and column in named:
        return named[column]
    if isinstance(column, int | np.integer) and not isinstance(column, bool):
        return features[int(column)]
    raise UnsupportedError(f"column {column!r}")


def _numbers(
    steps: Sequence[Any], chosen: Sequence[Feature], features: Sequence[Feature], first: int
) -> Numbers:
    fill, shift, scale = np.full(len(chosen), np.nan), np.zeros(len(chosen)), np.ones(len(chosen))
    known = [type(step) for step in steps]
    if known not in ([], [SimpleImputer], [StandardScaler], [SimpleImputer, StandardScaler]):
        raise UnsupportedError(f"steps {known} for numbers")
    names = [feature.name for feature in numeric(features)]
    if any(feature.name not in names for feature in chosen):
        raise UnsupportedError("texts among the numbers")
    for step in steps:
        if type(step) is SimpleImputer:
            fill = _statistics(step, len(chosen))
        else:
            shift = shift if step.mean_ is None or not step.with_mean else step.mean_
            scale = scale if step.scale_ is None or not step.with_std else step.scale_
    source = np.array([names.index(feature.name) for feature in chosen], dtype=np.intp)
    return Numbers(source, first + np.arange(len(chosen), dtype=np.intp), fill, shift, scale)


def _statistics(imputer: SimpleImputer, columns: int) -> Any:
    fill = np.asarray(imputer.statistics_, dtype=np.float64)
    if imputer.add_indicator or np.isnan(fill).any() or len(fill) != columns or imputer.missing_values == 0:
        raise UnsupportedError("an imputer that adds or drops columns")
    return fill


def _lookups(
    step: Any, chosen: Sequence[Feature], features: Sequence[Feature], first: int
) -> tuple[Any, list[Lookup]]:
    """Ask the fitted transformer for the output of every value that it knows, one column at a time."""
    steps = flat(step)
    if [type(part) for part in steps if type(part) is not SimpleImputer] not in ([kind] for kind in ENCODERS):
        raise UnsupportedError(f"steps {steps} for categories")
    categories = steps[-1].categories_
    if len(categories) != len(chosen):
        raise UnsupportedError("an imputer that drops columns")
    names = [feature.name for feature in textual(features)]
    columns = [feature.name for feature in chosen]
    constant = _output(step, columns, columns[0], [UNSEEN])[0]
    lookups = []
    for feature, known in zip(chosen, categories, strict=True):
        values = [str(value) for value in known if isinstance(value, str)]
        outputs = _output(step, columns, feature.name, [*values, np.nan, UNSEEN])
        varies = np.flatnonzero(~_same(outputs, constant).all(axis=0))
        codes = {value: code for code, value in enumerate(values)}
        place = first + varies.astype(np.intp)
        source = names.index(feature.name)
        lookups.append(Lookup(source, codes, len(values), len(values) + 1, place, outputs[:, varies]))
    return constant, lookups


def _output(step: Any, columns: list[str], column: str, values: list[Any]) -> Any:
    frame = pd.DataFrame({name: objects([UNSEEN] * len(values)) for name in columns})
    frame[column] = objects(values)
    answer = step.transform(frame)
    return np.asarray(answer.todense() if hasattr(answer, "todense") else answer, dtype=np.float64)


def _same(left: Any, right: Any) -> Any:
    return (left == right) | (np.isnan(left) & np.isnan(right))
