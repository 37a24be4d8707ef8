"""A fitted scikit-learn estimator says its columns, its classes and, by its first steps, their types."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from assay_artifact.manifest import Feature, FeatureType, Label, Task
from assay_artifact.single_file import Description, numbers, undescribed
from assay_artifact.table import is_null

Kinds = Mapping[str, FeatureType]
NUMBER: FeatureType = "number"
TEXT = "OSU"  # numpy's kinds that hold texts
ANYTHING = {"FunctionTransformer", "FeatureUnion", "HashingVectorizer", "FeatureHasher", "DictVectorizer"}


def described(estimator: Any) -> Description:
    """Ask an estimator, or a pipeline that ends with one.

    Raises:
        ArtifactError: Undescribed, with what it doesn't say.
    """
    classes = _classes(estimator) if is_classifier(estimator) else None
    if classes is None and not is_regressor(estimator):
        raise undescribed(f"{type(estimator).__name__} is neither a classifier nor a regressor")
    task: Task = "Classification" if classes else "Regression"
    kinds = _kinds(estimator, _names(estimator))
    return Description(task, tuple(Feature(name=name, type=kind) for name, kind in kinds.items()), classes)


def _classes(estimator: Any) -> tuple[Label, ...]:
    found = getattr(estimator, "classes_", ())
    labels = tuple(getattr(label, "item", lambda label=label: label)() for label in found)
    if not labels or not all(isinstance(label, bool | int | float | str) for label in labels):
        raise undescribed(f"{type(estimator).__name__} has no classes that are plain values")
    return labels


def _names(estimator: Any) -> list[str]:
    named = getattr(estimator, "feature_names_in_", None)
    if named is not None:
        return [str(name) for name in named]
    count = getattr(estimator, "n_features_in_", None)
    if count is None:
        raise undescribed(f"{type(estimator).__name__} doesn't know its columns (feature_names_in_)")
    return [feature.name for feature in numbers(count)]


def _kinds(step: Any, names: Sequence[str]) -> Kinds:
    """What is in each of some columns, by the first step that they meet; what it drops is left out."""
    if isinstance(step, Pipeline):
        return _kinds(next(each for _, each in step.steps if not _passes(each)), names)
    if isinstance(step, ColumnTransformer):
        return _routed(step, names)
    return dict(zip(names, _observed_types(step, names), strict=True))


def _routed(transformer: ColumnTransformer, names: Sequence[str]) -> Kinds:
    kinds: dict[str, FeatureType] = {}
    for _, step, columns in transformer.transformers_:
        there = list(_picked(columns, names))
        if isinstance(step, str) and step == "drop":
            continue
        found = dict.fromkeys(there, NUMBER) if _passes(step) else _kinds(step, there)
        if twice := [name for name in found if kinds.get(name, found[name]) != found[name]]:
            raise undescribed(f"columns {twice[:10]} are read as texts and as numbers")
        kinds |= found
    return {name: kinds[name] for name in names if name in kinds}


def _passes(step: Any) -> bool:
    """Say whether a step leaves its columns as they are; what learns from them then wants numbers."""
    return (
        step is None or isinstance(step, str) or (isinstance(step, FunctionTransformer) and step.func is None)
    )


def _picked(columns: Any, names: Sequence[str]) -> Iterator[str]:
    """Columns are said by name, position, mask or slice, many or one."""
    if isinstance(columns, str | int | np.integer):
        columns = [columns]
    if isinstance(columns, slice) or getattr(np.asarray(columns), "dtype", None) == np.bool_:
        yield from np.asarray(names, dtype=object)[columns]
        return
    for column in columns:
        yield column if isinstance(column, str) else names[column]


def _observed_types(step: Any, names: Sequence[str]) -> Sequence[FeatureType]:
    """What a step saw in its columns when it was fitted.

    Raises:
        ArtifactError: Undescribed: it may have seen anything.
    """
    if hasattr(step, "categories_"):
        return [_kind(name, found) for name, found in zip(names, step.categories_, strict=True)]
    if hasattr(step, "vocabulary_"):
        return ["text"] * len(names)
    if np.asarray(getattr(step, "statistics_", 0.0)).dtype.kind in TEXT:
        return ["category"] * len(names)
    if np.any(getattr(step, "is_categorical_", None) or False):
        raise undescribed(f"the categories of {type(step).__name__} can't be told apart from numbers")
    if not _takes_numbers(step):
        raise undescribed(f"what {type(step).__name__} takes in the columns {list(names)[:10]} can't be told")
    return ["number"] * len(names)


def _kind(name: str, categories: Any) -> FeatureType:
    found = np.asarray(categories)
    if found.dtype.kind not in TEXT:
        return "number"
    if odd := [value for value in found.tolist() if not isinstance(value, str) and not is_null(value)]:
        raise undescribed(f"column {name!r} has texts and other things, as {odd[0]!r}")
    return "category"


def _takes_numbers(step: Any) -> bool:
    if is_classifier(step) or is_regressor(step):
        return True
    return type(step).__module__.startswith("sklearn.") and type(step).__name__ not in ANYTHING
