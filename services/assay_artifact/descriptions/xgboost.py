"""XGBoost's own JSON says its features and its objective; UBJSON is turned into it first."""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from assay_artifact.manifest import Feature, FeatureType
from assay_artifact.single_file import Description, numbers, undescribed

TYPES: dict[str, FeatureType] = {"float": "number", "q": "number", "int": "number", "i": "boolean"}
BINARY = "binary:logistic"
MANY = "multi:softprob"


def describe(path: Path) -> Description:
    """Ask the learner in a file."""
    content = json.loads(path.read_bytes() if path.suffix == ".json" else _as_json(path))
    learner = content.get("learner") if isinstance(content, dict) else None
    if not isinstance(learner, dict):
        raise undescribed(f"{path.name} has no learner of XGBoost")
    params, objective = learner["learner_model_param"], learner["objective"]["name"]
    features = _features(learner, int(params["num_feature"]))
    if objective == BINARY:
        return Description("Classification", features, (0, 1))
    if objective == MANY:
        return Description("Classification", features, tuple(range(int(params["num_class"]))))
    if objective.startswith(("reg:", "count:")) and _targets(params) == 1:
        return Description("Regression", features)
    raise undescribed(
        f"objective {objective} with {_targets(params)} targets gives neither one value "
        f"nor probabilities of classes, as {BINARY} and {MANY} do"
    )


def _as_json(path: Path) -> bytes:
    booster = import_module("xgboost").Booster()
    booster.load_model(str(path))
    return bytes(booster.save_raw("json"))


def _features(learner: Mapping[str, Any], count: int) -> tuple[Feature, ...]:
    names = learner.get("feature_names") or [feature.name for feature in numbers(count)]
    types = learner.get("feature_types") or ["float"] * len(names)
    if odd := [name for name, kind in zip(names, types, strict=True) if kind not in TYPES]:
        raise undescribed(
            f"features {odd[:10]} are no numbers, and the names of their categories are unknown"
        )
    return tuple(Feature(name=name, type=TYPES[kind]) for name, kind in zip(names, types, strict=True))


def _targets(params: Mapping[str, str]) -> int:
    return int(params.get("num_target", "1"))
