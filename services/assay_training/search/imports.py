"""From the import path in a spec to an estimator's class: nothing else is imported, and nothing is called."""

import inspect
from importlib import import_module
from typing import Any

from assay_training.errors import JobError

PACKAGES = frozenset({"sklearn", "xgboost", "lightgbm"})
# Helpers of tests and of other estimators: they write files, print their arguments, or start programs.
HELPERS = frozenset({"utils", "tests", "testing", "conftest", "externals", "datasets", "dask", "spark"})


def estimator_class(path: str) -> type[Any]:
    """Return the class that an import path names, if it is a public estimator.

    Raises:
        JobError: InvalidSpec: it is a function, private, a helper, no estimator, or not there.
    """
    module, _, name = path.rpartition(".")
    if module.partition(".")[0] not in PACKAGES or _hidden(path):
        raise _refused(path, "only public estimators of scikit-learn, xgboost and lightgbm are allowed")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise _refused(path, str(error)) from error
    if not _is_estimator(found):
        raise _refused(path, "it is no estimator: a class of BaseEstimator with fit and predict")
    return found  # type: ignore[no-any-return]


def _hidden(path: str) -> bool:
    return any(part.startswith("_") or part in HELPERS for part in path.split("."))


def _is_estimator(found: object) -> bool:
    """Whether it can be called: a class, where public modules also hold functions and other modules."""
    from sklearn.base import BaseEstimator  # noqa: PLC0415  it takes a second, and few specs name a class

    if not inspect.isclass(found) or not issubclass(found, BaseEstimator) or inspect.isabstract(found):
        return False
    home = found.__module__.split(".")
    complete = callable(getattr(found, "fit", None)) and callable(getattr(found, "predict", None))
    return complete and home[0] in PACKAGES and not HELPERS & set(home)


def _refused(path: str, words: str) -> JobError:
    return JobError("InvalidSpec", f"training.estimator.import {path}: {words}")
