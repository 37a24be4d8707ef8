"""The reference cases, and the runner that must not let anything slip."""

import json
from collections.abc import Mapping
from math import log
from pathlib import Path
from typing import Any

import pytest

from assay_stats.conformance import FAMILIES, evaluate, recipe
from assay_stats.conformance.__main__ import check, main
from assay_stats.conformance.compare import failures

CASES = Path(__file__).parent / "cases" / "statistics.json"
LOADED: list[dict[str, Any]] = json.loads(CASES.read_text(encoding="utf-8"))["cases"]
BY_ID: Mapping[str, dict[str, Any]] = {case["id"]: case for case in LOADED}


@pytest.mark.parametrize("case", LOADED, ids=lambda case: case["id"])
def test_a_reference_case_is_reproduced(case: dict[str, Any]) -> None:
    assert check(case, BY_ID) == []


@pytest.mark.parametrize("case", LOADED, ids=lambda case: case["id"])
def test_every_expected_number_is_really_compared(case: dict[str, Any]) -> None:
    """A number that is off by a tenth is noticed, wherever it stands."""
    for path in _numbers(case["expected"]):
        if path[-1] == "df":
            continue
        spoilt = json.loads(json.dumps(case))
        _spoil(spoilt["expected"], path)
        assert check(spoilt, BY_ID), path


def _numbers(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in _numbers(inner, (*path, key))]
    if isinstance(value, list):
        return [found for i, inner in enumerate(value) for found in _numbers(inner, (*path, i))]
    return [path]


def _spoil(value: Any, path: tuple[Any, ...]) -> None:
    for key in path[:-1]:
        value = value[key]
    old = value[path[-1]]
    value[path[-1]] = (not old) if isinstance(old, bool) else old * 1.1 + 0.01


@pytest.mark.parametrize(
    ("case", "word"),
    [
        pytest.param(
            {"id": "x", "family": "astrology", "input": {}, "expected": {"p": 1}}, "astrology", id="family"
        ),
        pytest.param(
            {"id": "x", "family": "welch", "input": {}, "expected": {"p": 1}}, "KeyError", id="input"
        ),
        pytest.param(
            {"id": "x", "family": "welch", "input": {}, "expected": {}}, "none", id="nothing to compare"
        ),
        pytest.param({"id": "x", "input": {}, "expected": {"p": 1}}, "family", id="no family"),
    ],
)
def test_a_case_that_cannot_be_run_is_a_failure(case: dict[str, Any], word: str) -> None:
    (failure,) = check(case, {})
    assert word in f"{failure.got}"


def test_a_key_nobody_answers_is_a_failure() -> None:
    case = dict(BY_ID["srm_kohavi"])
    case["expected"] = {"chi2": 22.77436884, "g_test": 1.0}
    assert [failure.key for failure in check(case, BY_ID)] == ["g_test"]


@pytest.mark.parametrize(
    ("expected", "got", "tolerance", "passes"),
    [
        ({"p": 0.05}, {"p": 0.0501}, {"abs": 1e-3}, True),
        ({"p": 0.05}, {"p": 0.0501}, {"abs": 1e-5, "rel": 1e-5}, False),
        ({"p": 0.05}, {"p": 0.0501}, {}, False),
        ({"p": 1e-30}, {"p": 1.1e-30}, {"log10p": 0.1}, True),
        ({"p": 1e-30}, {"p": 0.0}, {"log10p": 0.1}, False),
        ({"ks": 1.0}, {"ks": 1.4}, {"ks_abs": 0.5, "abs": 1e-9}, True),
        ({"x": 1.0}, {"x": 1.4}, {"value_abs": 0.5}, True),
        ({"published": 2.178}, {"published": 2.1784}, {"abs": 1e-9}, True),
        ({"published": 2.178}, {"published": 2.1786}, {"abs": 1e-9}, False),
        ({"ok": True}, {"ok": True}, {}, True),
        ({"ok": True}, {"ok": 1}, {}, False),
        ({"x": [1, 2]}, {"x": [1]}, {}, False),
        ({"x": 1.0}, {"x": float("nan")}, {"abs": 9}, False),
        ({"x": {"y": 1.0}}, {"x": {}}, {}, False),
    ],
)
def test_tolerances_mean_what_the_schema_says(
    expected: dict[str, Any],
    got: dict[str, Any],
    tolerance: dict[str, float],
    passes: bool,  # noqa: FBT001
) -> None:
    assert (not failures(expected, got, tolerance)) is passes


def test_the_command_counts_and_exits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = tmp_path / "good.json"
    good.write_text(json.dumps({"cases": [BY_ID["srm_kohavi"], BY_ID["mwu_sleep"], BY_ID["welch_sleep"]]}))
    assert main([str(good)]) == 0
    assert capsys.readouterr().out.endswith("3 passed, 0 failed\n")
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    assert main([str(good), str(bad), str(tmp_path / "absent.json")]) == 1
    assert capsys.readouterr().out.endswith("3 passed, 2 failed\n")


@pytest.mark.parametrize(
    "text",
    ["x = open('a')", "import os", "x = (1).__class__", "x = [i for i in arange(3)]", "x = __import__('os')"],
)
def test_a_recipe_is_arithmetic_only(text: str) -> None:
    with pytest.raises(ValueError, match="recipe"):
        recipe.run(text)


GROUPS = {"control": {"n": 4000, "sum": 300}, "treatment": {"n": 4100, "sum": 360}}


@pytest.mark.parametrize(
    ("family", "given", "key"),
    [
        ("power", {"effect_size": 0.2, "power": 0.8, "alpha": 0.05, "ratio": 2.0}, "n_t"),
        ("power", {"delta": 1.0, "sd": 2.0, "power": 0.9, "alpha": 0.05}, "n"),
        ("power", {"n": 50, "sd": 1.0, "power": 0.9}, "delta"),
        ("power", {"n": 500, "p1": 0.1, "power": 0.9}, "p2"),
        ("non_inferiority", GROUPS | {"margin_rel": 0.1, "higher_is_better": False}, "upper95"),
        ("non_inferiority", GROUPS | {"nim_rel": 0.1, "preferred": "decrease"}, "ci_upper"),
        ("relative_lift_log", GROUPS, "ci"),
        ("alpha_spending", {"kMax": 3, "alpha": 0.05, "sided": 2, "spending": "LanDeMets_OF"}, "crit"),
        ("group_sequential", {"kMax": 3, "alpha": 0.025, "sided": 1, "design": "OBrienFleming"}, "crit"),
        ("confseq", {"v": 10, "v_opt": 10, "g": 0.5, "h": 0.5, "two_sided": False, "alpha": 0.05}, "value"),
        ("bandit_prob_best", {"posteriors_normal": [[0, 1], [0.5, 1]]}, "p_best"),
        ("bayes_normal", GROUPS | {"prior": {"mean": 0, "variance": 1, "proper": True}}, "risk"),
        ("msprt", {"n_per_arm": 1000, "p_control": 0.1, "p_treatment": 0.12, "tau2": 1e-4}, "Lambda"),
        ("asymptotic_cs", GROUPS | {"alternative": "greater", "N_star": 2000}, "p"),
        ("exact", {"table": [[3, 1], [1, 3]], "alternative": "two-sided"}, "p"),
        (
            "multi_variant_ztest",
            {"control": {"n": 9, "sum": 3}, "b": {"n": 9, "sum": 5}, "correction": "holm"},
            "b",
        ),
    ],
)
def test_other_inputs_of_the_same_families_are_answered(family: str, given: dict[str, Any], key: str) -> None:
    assert evaluate(family, given, {key})[key] is not None


def test_every_family_of_the_schema_is_known() -> None:
    assert {case["family"] for case in LOADED} <= set(FAMILIES)


@pytest.mark.parametrize("case", LOADED, ids=lambda case: case["id"])
def test_a_field_that_is_not_used_fails_the_case_with_its_name(case: dict[str, Any]) -> None:
    extended = case | {"input": case["input"] | {"weather": "fine"}}
    assert "input.weather" in {failure.key for failure in check(extended, BY_ID)}


def test_a_field_inside_an_arm_is_used_or_named_too() -> None:
    case = json.loads(json.dumps(BY_ID["mean_welch_abs"]))
    case["input"]["control"]["mood"] = 1
    assert [failure.key for failure in check(case, BY_ID)] == ["input.control.mood"]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"diff": "group1*group2"}, "diff"),
        ({"two_sided": False}, "two_sided"),
        ({"alternative": "sideways"}, "alternative"),
    ],
)
def test_a_convention_that_is_not_ours_is_refused(changed: dict[str, Any], word: str) -> None:
    case = BY_ID["welch_sleep"] | {"input": BY_ID["welch_sleep"]["input"] | changed}
    assert word in str(check(case, BY_ID)[0].got)


MEANS = {"control": {"n": 400, "mean": 2.0, "sd": 3.0}, "treatment": {"n": 500, "mean": 2.5, "sd": 2.0}}
SUMS = {
    "control": {"n": 400, "sum": 800.0, "sumsq": 399 * 9.0 + 1600.0},
    "treatment": {"n": 500, "sum": 1250.0, "sumsq": 499 * 4.0 + 3125.0},
}
RATIOS = {side: BY_ID["ratio_delta_abs"]["input"][side] for side in ("control", "treatment")}
NORMALS = [[0.0, 1.0], [0.5, 2.0]]


@pytest.mark.parametrize(
    ("family", "one", "other", "key"),
    [
        pytest.param("welch", MEANS, SUMS, "p", id="means and deviations are sums"),
        pytest.param("asymptotic_cs", MEANS, SUMS, "ci", id="in a sequence too"),
        pytest.param(
            "welch",
            MEANS,
            {k: {"n": v["n"], "mean": v["mean"], "var": v["sd"] ** 2} for k, v in MEANS.items()},
            "se",
            id="variances",
        ),
        pytest.param(
            "power",
            {"n1": 50, "n2": 100, "effect_size": 0.5, "alpha": 0.05},
            {"n": 50, "ratio": 2.0, "effect_size": 0.5, "alpha": 0.05},
            "power",
            id="units of both groups are a ratio",
        ),
        pytest.param(
            "bandit_prob_best",
            {"posteriors_normal": [{"mu": mu, "se": se} for mu, se in NORMALS]},
            {"posteriors_normal": NORMALS},
            "p_best",
            id="posteriors by name",
        ),
        pytest.param(
            "bayes_normal",
            SUMS | {"prior": [0.1, 0.04]},
            SUMS | {"prior": {"mean": 0.1, "variance": 0.04}},
            "ci",
            id="a prior as mean and variance",
        ),
        pytest.param(
            "alpha_spending",
            {"kMax": 4, "alpha": 0.025, "spending": "power family", "rho": 2},
            {"kMax": 4, "alpha": 0.025, "spending": "a*t^2"},
            "crit",
            id="the power family by name",
        ),
    ],
)
def test_the_same_input_in_other_words_has_the_same_answer(
    family: str, one: dict[str, Any], other: dict[str, Any], key: str
) -> None:
    got, wanted = (evaluate(family, given, {key})[key] for given in (one, other))
    assert got == pytest.approx(wanted, rel=1e-12)


def test_a_prior_counts() -> None:
    flat, firm = (
        evaluate("bayes_normal", SUMS | {"prior": prior}, {"diff"})["diff"] for prior in (None, [0.0, 1e-6])
    )
    assert abs(firm) < abs(flat) / 10


def test_ratios_have_a_sequence_too() -> None:
    answer = evaluate("asymptotic_cs", RATIOS, {"diff", "se"})
    wanted = BY_ID["ratio_delta_abs"]["expected"]
    assert (answer["diff"], answer["se"]) == pytest.approx((wanted["diff"], wanted["se"]))


@pytest.mark.parametrize(
    ("function", "given"),
    [
        ("normal_mixture", {"two_sided": True}),
        ("normal_mixture", {"two_sided": False}),
        ("gamma_exponential", {"c": 2}),
        ("gamma_poisson", {"c": 2}),
        ("beta_binomial", {"g": 0.2, "h": 0.8, "two_sided": True}),
    ],
)
def test_at_its_bound_the_log_mixture_is_the_log_of_one_over_alpha(
    function: str, given: dict[str, Any]
) -> None:
    at = {"v": 100, "v_opt": 100, "alpha": 0.05} | given
    bound = evaluate("confseq", at | {"function": f"{function}_bound"}, {"value"})["value"]
    name = function.replace("_mixture", "") + "_log_mixture"
    value = evaluate("confseq", at | {"function": name, "s": bound}, {"value"})["value"]
    assert value == pytest.approx(log(20), rel=1e-9)
