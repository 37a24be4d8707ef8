"""Which types a skops file may build: those skops trusts, those vetted here, those its author vouches for.

A type is vetted when building it from a file runs no code of the file's choice: plain data holders of
Python, scikit-learn and numpy. Functions, callables by name, and anything that opens files or imports are
not.
"""

VETTED = frozenset(
    {
        "collections.OrderedDict",
        "numpy.dtype",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
    }
)
# Packages whose types an author may vouch for, by name, in the manifest. A name from the rest of the world
# (os.system, builtins.eval) is refused even then.
VOUCHABLE = ("numpy", "scipy", "sklearn", "xgboost", "lightgbm", "catboost", "imblearn", "category_encoders")


def refused(needed: set[str], vouched: tuple[str, ...]) -> list[str]:
    """Return the types that must not be built, sorted.

    >>> refused({"sklearn.tree._tree.Tree", "os.system"}, vouched=("os.system",))
    ['os.system']
    """
    allowed = VETTED | {name for name in vouched if name.partition(".")[0] in VOUCHABLE}
    return sorted(needed - allowed)
