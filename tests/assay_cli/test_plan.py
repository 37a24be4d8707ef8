"""`assay plan`: what it says, what it refuses, and when it fails."""

from pathlib import Path

import pytest

from assay_cli.main import main
from assay_stats.duration import Goal, Traffic, plan, sequential_inflation

EXPERIMENT = """
apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: churn}
spec:
  modelRef: {name: churn}
  arms:
  - {name: control, version: churn-3, weight: 90}
  - {name: boosted, version: churn-4, weight: 10}
  ramp: [{percent: 1}, {percent: 10}]
  metrics:
    primary: {name: retained, baseline: 0.2, minimumEffect: {relative: 0.05}}
  decision: {maxDuration: 28d}
"""


@pytest.fixture
def experiment(tmp_path: Path) -> str:
    path = tmp_path / "experiment.yaml"
    path.write_text(EXPERIMENT)
    return str(path)


def test_every_method_is_planned_at_any_allocation(
    experiment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", experiment]) == 0
    out = capsys.readouterr().out
    assert "control:boosted 90:10" in out
    for method in ("Sequential", "GroupSequential", "Fixed"):
        assert method in out


def test_a_plan_that_cannot_finish_says_what_could(
    experiment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", experiment, "--units-per-day", "500"]) == 1
    out = capsys.readouterr().out
    assert "cannot finish in 28 days at any step" in out
    assert "could be found" in out
    assert "step 1: 10% enrolled" in out


def test_a_plan_that_finishes_says_when(experiment: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", experiment, "--units-per-day", "50000"]) == 0
    assert "days at the last step, of 28" in capsys.readouterr().out


def test_flags_win_over_the_file(experiment: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["plan", experiment, "--weights", "50,50", "--relative", "0.5"])
    assert "50:50" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["plan"], "--base"),
        (["plan", "--base", "0.1"], "--effect"),
        (["plan", "--base", "3", "--relative", "0.1"], "--deviation"),
        (["plan", "--base", "0.1", "--relative", "0.1", "--alpha", "2"], "--alpha"),
        (["plan", "--base", "0.1", "--relative", "0.1", "--weights", "100"], "--weights"),
        (["plan", "--base", "0.1", "--relative", "0.1", "--units-per-day", "-1"], "--units-per-day"),
        (["plan", "absent.yaml"], "absent.yaml"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert word in capsys.readouterr().err


def test_a_file_without_an_experiment_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.yaml"
    path.write_text("kind: Model\n---\n")
    assert main(["plan", str(path)]) == 2
    assert "Experiment" in capsys.readouterr().err


def test_means_and_decreases_are_planned_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--base", "12", "--deviation", "30", "--effect", "0.5", "--decrease"]) == 0
    assert "Mean of 12, effect -0.5" in capsys.readouterr().out


def test_an_earlier_step_may_be_the_one_that_finishes() -> None:
    found = plan(Goal(0.3, 0.03), "Fixed", Traffic(1000, coverages=(1.0, 0.1), max_days=10))
    assert (found.fits, found.first_step) == (False, 0)
    assert "step 1 could" in found.message


def test_more_power_costs_relatively_less() -> None:
    costs = [sequential_inflation(0.05, power, 31.7) for power in (0.7, 0.8, 0.9)]
    assert costs == sorted(costs, reverse=True)
    assert 1.6 < costs[-1] < costs[0] < 2.0


def test_the_example_is_planned(capsys: pytest.CaptureFixture[str]) -> None:
    example = Path(__file__).parents[2] / "examples" / "statistics" / "experiment.yaml"
    assert main(["plan", str(example), "--units-per-day", "20000"]) == 0
    assert "control:boosted 50:50" in capsys.readouterr().out
