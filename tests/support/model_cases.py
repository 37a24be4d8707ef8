"""What a Model may and may not say: specs, and the rule that refuses each, or its words."""

from typing import Any

import pytest

from assay_api import bake, data, experiment_rules, model, serving, training, tuning

DATA = {"uri": "file:///x.csv", "target": "y", "key": "id"}
IMAGE = {"image": {"image": "shop/churn:7"}}
ARTIFACT = {"artifact": {"uri": "s3://m/churn.onnx", "digest": "sha256:" + "0" * 64}}
TRAINING = {"training": {"data": DATA}}
ROWS = {"evaluation": {"data": DATA}}
RECALL, BYTES = ({"gates": [{"metric": name, "max": 1}]} for name in ("recall", "artifactBytes"))
TEMPLATE: dict[str, Any] = {"metrics": {"guardrails": [{"name": "errors", "margin": {"absolute": 0.02}}]}}
ERRORS, SLOW = ({"name": name, "margin": {"absolute": 0.05}} for name in ("errors", "slow"))
PARTS = {f"p{i}": {"low": 0, "high": 1} for i in range(13)}


def trained(**change: Any) -> dict[str, Any]:
    return {"training": {"data": DATA} | change}


def of_data(**change: Any) -> dict[str, Any]:
    return {"training": {"data": DATA | change}}


def held(**columns: Any) -> dict[str, Any]:
    return of_data(contract={"columns": columns})


def gate(**more: Any) -> dict[str, Any]:
    return TRAINING | {"gates": [{"metric": "recall"} | more]}


def baked(*guardrails: Any) -> dict[str, Any]:
    return IMAGE | {"rollout": {"bake": {"guardrails": list(guardrails)}}}


def served(**change: Any) -> dict[str, Any]:
    return IMAGE | {"serving": change}


def slow(role: str, timeout: str = "30s") -> dict[str, Any]:
    """A template with a metric of answers that are slower than 31 seconds."""
    metric = {"name": "slow", "source": "Gateway", "direction": "Decrease", "slowerThan": "31s"}
    metrics = (
        TEMPLATE["metrics"]
        | {
            "primary": {"primary": metric},
            "guardrails": {"guardrails": [metric | {"margin": {"absolute": 0.02}}]},
            "secondary": {"secondary": [metric]},
        }[role]
    )
    return served(timeout=timeout) | {"rollout": {"experiment": {"metrics": metrics}}}


REQUEST, LIMIT = serving.Resources.RULES


def with_arms(*arms: dict[str, Any]) -> dict[str, Any]:
    """A template with these arms, named and weighted."""
    weight = 100 // len(arms)
    first = {"name": "a0", "weight": 100 - weight * (len(arms) - 1)}
    named = [{"name": f"a{number}", "weight": weight} for number in range(1, len(arms))]
    whole = [a | b for a, b in zip([first, *named], arms, strict=True)]
    return IMAGE | {"rollout": {"experiment": TEMPLATE | {"arms": whole, "ramp": [{"percent": 20}]}}}


REFUSED: list[Any] = [
    pytest.param(IMAGE | TRAINING, model.ONE_SOURCE, id="two sources"),
    pytest.param({}, model.ONE_SOURCE, id="no source"),
    pytest.param(IMAGE | RECALL, model.GATES_NEED_ROWS, id="an image's gates without rows"),
    pytest.param(ARTIFACT | RECALL, model.GATES_NEED_ROWS, id="an artifact's gates without rows"),
    pytest.param(TRAINING | ROWS, model.GATES_NEED_ROWS, id="rows beside a training's own"),
    pytest.param(IMAGE | ROWS | BYTES, model.NO_FILES, id="the size of an image's files"),
    pytest.param(
        ARTIFACT | {"evaluation": {"data": DATA, "columns": ["age"]}}, model.SENT_TO_IMAGES, id="columns"
    ),
    pytest.param(gate(metric="rmse", max=1), model.GATES_FIT_THE_TASK, id="rmse of classes"),
    pytest.param(gate(min=0.5) | {"task": "Regression"}, model.GATES_FIT_THE_TASK, id="recall of numbers"),
    pytest.param(IMAGE | {"rollout": {"strategy": "Experiment"}}, model.TEMPLATE, id="no experiment to make"),
    pytest.param(with_arms({}, {}, {}), experiment_rules.TWO_ARE_GIVEN, id="a third arm without a version"),
    pytest.param(
        with_arms({}, {"version": "m-1"}), experiment_rules.TWO_ARE_GIVEN, id="a version of the new one"
    ),
    pytest.param(
        with_arms({}, {}, {"version": "m-1"}, {"version": "m-1"}),
        experiment_rules.NAMED_DIFFER,
        id="one version in two arms",
    ),
    pytest.param(baked(SLOW), bake.SLOW_NEEDS_A_BAR, id="slow, without a bar"),
    pytest.param(baked(ERRORS | {"slowerThan": "1s"}), bake.SLOW_NEEDS_A_BAR, id="errors with a bar"),
    pytest.param(baked(ERRORS, ERRORS), bake.ONE_OF_EACH, id="the same guardrail twice"),
    pytest.param(
        {"artifact": ARTIFACT["artifact"] | {"format": "Joblib"}}, model.PICKLE_NEEDS_A_YES, id="a pickle"
    ),
    *(
        pytest.param(slow(role), model.SLOW_ANSWERS_CAN_COME, id=f"slower than the time-out: {role}")
        for role in ("primary", "guardrails", "secondary")
    ),
    pytest.param(served(replicas=2, maxReplicas=1), serving.MOST_NOT_LESS, id="fewer at most than at least"),
    pytest.param(
        served(maxReplicas=2, resources={"requests": {}}), serving.CPU_NEEDS_A_REQUEST, id="a part of nothing"
    ),
    pytest.param(served(resources={"limits": {"memory": "128Mi"}}), LIMIT, id="less memory than requested"),
    pytest.param(
        served(resources={"requests": {"cpu": "1"}, "limits": {"cpu": "500m"}}), REQUEST, id="less CPU"
    ),
    pytest.param(of_data(key="y"), data.TARGET_IS_NO_KEY, id="the target as key"),
    pytest.param(of_data(sql={"urlSecretRef": {"name": "s"}, "query": "x"}), data.ONE_PLACE, id="two places"),
    pytest.param(held(age={"min": 2, "max": 1}), data.RANGE_OF_A_COLUMN, id="no value is valid"),
    pytest.param(held(**{"x" * 100 + str(i): {} for i in range(30)}), data.NAMES_FIT, id="3 kB of names"),
    pytest.param(
        held(a={"allowed": list(range(100))}, b={"allowed": list(range(29))}),
        data.FEW_ALLOWED,
        id="129 values",
    ),
    pytest.param(
        held(**{f"c{i}": {"pattern": "x" * 200} for i in range(6)}),
        data.PATTERNS_FIT,
        id="1.2 kB of patterns",
    ),
    pytest.param(trained(split={"testFrom": "2026-01-01"}), training.TIMED, id="a date without times"),
    pytest.param(
        trained(features={k: [f"{k}{i}" for i in range(260)] for k in ("text", "numeric")}),
        training.FEW_FEATURES,
        id="520 features",
    ),
    pytest.param(
        trained(features={k: [f"{i:0100}" for i in range(62)] for k in ("text", "numeric")}),
        training.FEATURES_FIT,
        id="12.4 kB of features",
    ),
    pytest.param(trained(neutral={"low": 0.5, "high": 0.5}), training.A_BAND, id="a band of no width"),
    pytest.param(
        trained(neutral={"low": 0.6, "high": 0.8}), training.IN_THE_BAND, id="a band without the threshold"
    ),
    pytest.param(
        trained(tuning={"space": {"SVM": {"C": {"low": 1}}}}), tuning.A_RANGE, id="a range without an end"
    ),
    pytest.param(
        trained(tuning={"space": {"SVM": PARTS, "RandomForest": PARTS}}),
        tuning.FEW_RANGES,
        id="26 ranges",
    ),
    pytest.param(gate(), training.A_BAR, id="a gate without a bar"),
    pytest.param(gate(notWorseThanChampionBy=0.1, slice="x"), training.SLICED, id="a slice of a difference"),
    pytest.param(gate(min=0.1, confidence=0.9), training.SURE, id="sure of a bar"),
    pytest.param(gate(min=0.9, max=0.8), training.PASSABLE, id="nobody passes"),
    pytest.param(gate(min=80), training.UP_TO_ONE, id="80 percent as 80"),
    pytest.param(gate(min=-0.1), training.FROM_ZERO, id="less than none"),
    pytest.param(gate(metric="mcc", min=-2), training.FROM_MINUS_ONE, id="worse than the opposite"),
]


UNBOUNDED: list[Any] = [
    pytest.param(served(timeout="0s"), "from 1ms to 1h", id="no time to answer"),
    pytest.param(served(timeout="99999d"), "match pattern", id="an absurd time"),
    pytest.param(served(timeout="2h"), "from 1ms to 1h", id="too long to wait"),
    pytest.param(served(scaling={"downAfter": "2h"}), "from 0s to 1h", id="longer than an autoscaler waits"),
    pytest.param(served(capture={"interval": "100ms"}), "from 1s to 1h", id="counts without end"),
    pytest.param(served(serviceAccountName="A b"), "pattern", id="no name of an account"),
    pytest.param(IMAGE | {"rollout": {"rollbackWindow": "91d"}}, "from 0s to 90d", id="warm for ever"),
    pytest.param({"image": {"image": "a b"}}, "pattern", id="a space in an image"),
    pytest.param({"image": {"image": "a", "readinessPath": "/x y"}}, "pattern", id="a space in a path"),
    pytest.param(of_data(target="a\nb"), "pattern", id="a column of two lines"),
    pytest.param(held(a={"allowed": [True]}), "must be an integer", id="a boolean as text"),
    pytest.param(held(a={"allowed": ["x" * 41]}), "at most 40", id="a long value"),
    pytest.param(trained(params={"SVM": {"C": {"a": 1}}}), "text, a number", id="an object of a parameter"),
    pytest.param(trained(params={"SVM": {"C": [[1]]}}), "text, a number", id="a list in a list"),
    pytest.param(
        trained(features={"text": ["é" * 100 + f"{i:02}" for i in range(50)]}),
        "8192 bytes",
        id="wide letters",
    ),
]
FINE: list[Any] = [
    pytest.param(IMAGE, id="an image as it is"),
    pytest.param(baked(), id="a bake of pods only"),
    pytest.param(baked(ERRORS, SLOW | {"slowerThan": "200ms"}), id="a bake with both guardrails"),
    pytest.param(IMAGE | ROWS | RECALL, id="an image with gates"),
    pytest.param(IMAGE | RECALL | {"evaluation": {"data": DATA, "columns": ["age"]}}, id="and its columns"),
    pytest.param(ARTIFACT | ROWS | BYTES, id="an artifact with gates"),
    pytest.param(ARTIFACT | ROWS, id="an artifact that is measured without a bar"),
    pytest.param(TRAINING | BYTES, id="a training with gates"),
    pytest.param(gate(metric="r2", min=-3) | {"task": "Regression"}, id="worse than the mean"),
    pytest.param(trained(params={"SVM": {"C": 0.5, "steps": [1, 2]}}), id="a list of a parameter"),
]
