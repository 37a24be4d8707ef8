"""Reads the last step of a fitted pipeline."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from assay_artifact.plan.columns import UnsupportedError
from assay_artifact.plan.scoring import Linear, Link, Trees

BINARY = 2
FORESTS = (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor)
SINGLE = (DecisionTreeClassifier, DecisionTreeRegressor)
BOOSTED = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
LINKS: dict[str, Link] = {
    "IdentityLink": "identity",
    "LogLink": "log",
    "LogitLink": "logit",
    "MultinomialLogit": "softmax",
}


class Tree(NamedTuple):
    """One tree as its library has it; a leaf has no children, -1."""

    feature: Any
    threshold: Any
    missing_left: Any
    left: Any
    right: Any
    leaf: Any
    value: Any


def model(estimator: Any) -> tuple[Linear | Trees, Link]:
    """Return what the estimator computes.

    Raises:
        UnsupportedError: The estimator isn't known.
    """
    kind = type(estimator)
    if kind is LogisticRegression:
        link: Link = "logit" if len(estimator.classes_) == BINARY else "softmax"
        return Linear(estimator.coef_.astype(np.float64), estimator.intercept_.astype(np.float64)), link
    if kind in (Ridge, LinearRegression) and np.ndim(estimator.coef_) == 1:
        intercept = np.array([estimator.intercept_], dtype=np.float64)
        return Linear(estimator.coef_.astype(np.float64)[np.newaxis], intercept), "identity"
    if kind in FORESTS:
        return _forest([part.tree_ for part in estimator.estimators_]), "identity"
    if kind in SINGLE:
        return _forest([estimator.tree_]), "identity"
    if kind in BOOSTED:
        return _boosted(estimator)
    raise UnsupportedError(f"no plan for a {kind.__name__}")


def _forest(trees: Sequence[Any]) -> Trees:
    if any(tree.n_outputs != 1 for tree in trees):
        raise UnsupportedError("several outputs")
    read = [_grown(tree) for tree in trees]
    start = np.zeros(read[0].value.shape[1])
    return _table(read, start, divisor=float(len(trees)), single=True)


def _grown(tree: Any) -> Tree:
    nodes = tree.__getstate__()["nodes"]
    leaf = tree.children_left < 0
    missing = nodes["missing_go_to_left"].astype(bool)
    return Tree(
        tree.feature, tree.threshold, missing, tree.children_left, tree.children_right, leaf, tree.value[:, 0]
    )


def _boosted(estimator: Any) -> tuple[Trees, Link]:
    link = LINKS.get(type(estimator._loss.link).__name__)
    if link is None or estimator.is_categorical_ is not None:
        raise UnsupportedError("a link or a split on categories that isn't known")
    grown = [_predictor(one.nodes) for iteration in estimator._predictors for one in iteration]
    start = estimator._baseline_prediction.astype(np.float64).reshape(-1)
    return _table(grown, start, divisor=1.0, single=False), link


def _predictor(nodes: Any) -> Tree:
    if nodes["is_categorical"].any():
        raise UnsupportedError("a split on categories")
    left, right = nodes["left"].astype(np.intp), nodes["right"].astype(np.intp)
    missing, leaf = nodes["missing_go_to_left"].astype(bool), nodes["is_leaf"].astype(bool)
    threshold, value = nodes["num_threshold"], nodes["value"][:, np.newaxis]
    return Tree(nodes["feature_idx"], threshold, missing, left, right, leaf, value)


def _table(trees: Sequence[Tree], start: Any, *, divisor: float, single: bool) -> Trees:
    """Put all trees into one table of nodes, where a leaf is its own child."""
    sizes = [len(tree.leaf) for tree in trees]
    roots = np.cumsum([0, *sizes[:-1]]).astype(np.intp)
    leaf = np.concatenate([tree.leaf for tree in trees])
    itself = np.arange(len(leaf), dtype=np.intp)
    first = np.repeat(roots, sizes)
    child = np.empty(2 * len(leaf), dtype=np.intp)
    child[0::2] = np.where(leaf, itself, np.concatenate([tree.left for tree in trees]) + first)
    child[1::2] = np.where(leaf, itself, np.concatenate([tree.right for tree in trees]) + first)
    return Trees(
        feature=np.where(leaf, 0, np.concatenate([tree.feature for tree in trees])).astype(np.intp),
        threshold=np.where(leaf, np.inf, np.concatenate([tree.threshold for tree in trees])),
        missing_right=~np.concatenate([tree.missing_left for tree in trees]),
        child=child,
        value=np.concatenate([tree.value for tree in trees]).astype(np.float64),
        roots=roots,
        start=np.asarray(start, dtype=np.float64),
        depth=_depth(child, roots, leaf),
        divisor=divisor,
        single=single,
    )


def _depth(child: Any, roots: Any, leaf: Any) -> int:
    depth, level = 0, roots
    while not leaf[level].all():
        level = np.unique(child.reshape(-1, 2)[level[~leaf[level]]])
        depth += 1
    return depth
