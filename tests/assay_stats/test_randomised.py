"""Real randomised experiments with answers that are known."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "statistics" / "randomised.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    specification = importlib.util.spec_from_file_location("randomised", EXAMPLE)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_names_on_resumes_matter(example: ModuleType) -> None:
    fixed, stopped = example.resumes()
    assert fixed.statistic == pytest.approx(4.108, abs=5e-4)
    assert stopped.evidence.decided == "better"


def test_resumes_by_gender_show_nothing_and_a_broken_split(example: ModuleType) -> None:
    fixed, split = example.resumes_by_gender()
    assert fixed.p_value > 0.3
    assert split.mismatch


def test_an_incentive_that_works_stops_early(example: ModuleType) -> None:
    stopped = example.hiv_incentive()
    assert stopped.evidence.decided == "better"
    assert stopped.units < stopped.of / 10


def test_small_classes_help_and_an_aide_is_a_natural_null(example: ModuleType) -> None:
    evidence, adjusted = example.class_size()
    assert evidence["small"].decided == "better"
    assert adjusted[0] < 0.001
    assert evidence["small"].estimate == pytest.approx(13.9, abs=0.05)
    assert evidence["regular+aide"].decided is None
    assert adjusted[1] == 1


def test_earnings_before_the_training_adjust_next_to_nothing(example: ModuleType) -> None:
    plain, better, adjustment = example.job_training()
    assert plain.estimate == pytest.approx(1794.3, abs=0.1)
    assert 0 < adjustment.removed < 0.01
    assert better.se > 0.99 * plain.se


def test_stents_are_rolled_back(example: ModuleType) -> None:
    assert example.stents().breached


def test_the_report_names_every_experiment(example: ModuleType) -> None:
    assert len(list(example.report())) == 7
