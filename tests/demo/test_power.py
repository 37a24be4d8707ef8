"""Offline, before any cluster: is there enough in 2,000 customers for the demo to end as it is told?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import prepare
import pytest
import rules
import yaml
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from assay_assign import arm_at, slot, table
from assay_stats import GuardrailRule, Moments, evaluate, guardrail_rule, harm, non_inferiority, primary_rule

ROOT = Path(__file__).parents[2]
RATE = 60  # customers a second, as `make demo` sends them
SALTS = [f"experiment-{i}" for i in range(10)]
EVERY = 3  # seconds between two looks; more looks would only decide sooner
SHARE = 0.5


def manifest(version: int) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / f"examples/churn/model-v{version}.yaml").read_text())
    return loaded


def rollout(version: int) -> dict[str, Any]:
    experiment: dict[str, Any] = manifest(version)["spec"]["rollout"]["experiment"]
    return experiment


class World(NamedTuple):
    keys: list[str]
    correct: dict[int, np.ndarray[Any, Any]]  # version -> was its prediction right, by customer
    broken: np.ndarray[Any, Any]  # does version 3 fail on this customer


@pytest.fixture(scope="module")
def world() -> World:
    rows = prepare.customers()
    live = rows[prepare.KEY].map(prepare.is_live)
    training, users = rows[~live], rows[live]
    truth = (users.churn == "yes").to_numpy()
    everything = [c for c in rows.columns if c not in {prepare.KEY, prepare.TARGET}]
    few = [c for kind in manifest(1)["spec"]["training"]["features"].values() for c in kind]

    def right(estimator: Any, columns: list[str]) -> np.ndarray[Any, Any]:
        with threadpool_limits(1):  # on a busy machine, waiting threads take minutes
            fitted = pipeline(estimator).fit(training[columns], training.churn == "yes")
            return np.asarray(fitted.predict(users[columns]) == truth)

    correct = {
        1: right(LogisticRegression(max_iter=1000), few),
        2: right(HistGradientBoostingClassifier(random_state=7), everything),
    }
    broken = ~users.area_code.isin(rules.CENTS_PER_DAY_MINUTE).to_numpy()
    return World(users[prepare.KEY].tolist(), correct, broken)


def pipeline(estimator: Any) -> Pipeline:
    numbers, words = make_column_selector(dtype_include="number"), make_column_selector(dtype_include=object)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(make_column_transformer((StandardScaler(), numbers), (encoder, words)), estimator)


class Sums(NamedTuple):
    """What the collector would know when the numbers are looked at."""

    seconds: int
    percent: int
    control: list[int]  # customers, in the order in which they were enrolled
    candidate: list[int]


def looks(world: World, salt: str, ramp: list[dict[str, Any]]) -> Iterator[Sums]:
    """Walk the ramp: RATE customers call a second, in turn; a step ends when both arms are large enough."""
    arms: dict[str, list[int]] = {"control": [], "candidate": []}
    slots = [slot(salt, key) for key in world.keys]
    known: set[int] = set()
    seconds, caller = 0, 0
    for step in ramp:
        assigned = table({"control": 50, "candidate": 50}, step["percent"])
        enough = step.get("minUnitsPerArm", 10**9)
        for _ in range(3 * len(world.keys) // RATE):
            for i in (c % len(world.keys) for c in range(caller, caller + RATE)):
                arm = arm_at(assigned, slots[i])
                if arm and i not in known:
                    known.add(i)
                    arms[arm].append(i)
            seconds, caller = seconds + 1, caller + RATE
            if seconds % EVERY == 0:
                yield Sums(seconds, step["percent"], arms["control"], arms["candidate"])
            if min(map(len, arms.values())) >= enough:
                break


def units(correct: np.ndarray[Any, Any], who: list[int]) -> Moments:
    return Moments.proportion(len(who), int(correct[who].sum()))


@pytest.mark.parametrize("salt", SALTS)
def test_boosting_is_found_to_be_right_more_often_well_before_the_customers_run_out(
    world: World, salt: str
) -> None:
    rule, peak = primary_rule("Proportion", alpha=0.05), None
    for look in looks(world, salt, rollout(2)["ramp"]):
        control, candidate = units(world.correct[1], look.control), units(world.correct[2], look.candidate)
        evidence = evaluate(rule, control, candidate, SHARE, peak=peak)
        peak = evidence.peak
        if evidence.decided:
            break
    assert (evidence.decided, evidence.units < 0.8 * len(world.keys)) == ("better", True), evidence
    assert look.seconds < 80


def guardrails(version: int) -> list[GuardrailRule]:
    guards = rollout(version)["metrics"]["guardrails"]
    return [
        guardrail_rule("Proportion", alpha=0.05, guardrails=len(guards), absolute=g["margin"]["absolute"])
        for g in guards
    ]


@pytest.mark.parametrize("salt", SALTS)
def test_not_one_error_is_enough_to_clear_the_guardrails_before_the_customers_run_out(
    world: World, salt: str
) -> None:
    open_rules = guardrails(2)
    for look in looks(world, salt, rollout(2)["ramp"]):
        arms = (Moments.proportion(len(look.control), 0), Moments.proportion(len(look.candidate), 0))
        open_rules = [rule for rule in open_rules if not non_inferiority(rule, *arms, SHARE).passed]
        if not open_rules:
            break
    assert not open_rules
    assert len(look.control) + len(look.candidate) < 0.8 * len(world.keys)


@pytest.mark.parametrize("salt", SALTS)
def test_the_version_that_fails_on_an_area_code_breaks_its_guardrail_before_half_of_the_users_are_on_it(
    world: World, salt: str
) -> None:
    errors, *_ = guardrails(3)
    for look in looks(world, salt, rollout(3)["ramp"]):
        control, candidate = (
            units(np.zeros_like(world.broken), look.control),
            units(world.broken, look.candidate),
        )
        if harm(errors, control, candidate, SHARE).breached:
            break
    assert look.percent < rollout(3)["ramp"][-1]["percent"]


def test_the_first_model_is_plausible_and_the_second_one_better(world: World) -> None:
    first, second = (world.correct[v].mean() for v in (1, 2))
    assert first > 0.85  # about what always saying no would reach: a first model of this kind is like that
    assert 0.94 < second < 0.97
