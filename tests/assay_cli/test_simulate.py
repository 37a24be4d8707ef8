"""`assay simulate`: figures, picture, seeds and refusals."""

from pathlib import Path

import pytest

from assay_cli.main import main

SMALL = [
    "simulate",
    "--base",
    "0.2",
    "--relative",
    "0.2",
    "--looks",
    "20",
    "--runs",
    "300",
    "--cores",
    "1",
    "--quiet",
]


def _out(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    main(arguments)
    return capsys.readouterr().out


@pytest.mark.parametrize("method", ["Sequential", "GroupSequential", "Pocock", "Fixed"])
def test_every_method_keeps_alpha_and_finds_the_effect(
    method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SMALL, "--method", method]) == 0
    out = capsys.readouterr().out
    power = float(out.split("effect +0.04: ")[1].split(" ")[0])
    assert power > 0.7


def test_naive_peeking_is_found_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--method", "NaivePeeking"]) == 1
    assert "no difference" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert _out([*SMALL, "--seed", "3"], capsys) == _out([*SMALL, "--seed", "3"], capsys)
    assert _out([*SMALL, "--seed", "3"], capsys) != _out([*SMALL, "--seed", "4"], capsys)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_picture_is_written(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"curve.{ending}"
    main([*SMALL, "--plot", str(path)])
    assert path.stat().st_size > 5_000


def test_three_arms_and_a_decrease_are_simulated(capsys: pytest.CaptureFixture[str]) -> None:
    out = _out([*SMALL, "--weights", "40,30,30", "--decrease"], capsys)
    assert "control 40, candidate-1 30, candidate-2 30" in out
    assert "effect -0.04" in out


def test_means_are_simulated_with_the_planned_moments(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "simulate",
        "--base",
        "5",
        "--deviation",
        "5",
        "--effect",
        "1",
        "--runs",
        "100",
        "--looks",
        "10",
        "--quiet",
    ]
    out = _out([*arguments, "--cores", "1"], capsys)
    assert "Mean by AsymptoticCS" in out


@pytest.mark.parametrize("broken", [["--runs", "0"], ["--looks", "0"], ["--units-per-look", "-5"]])
def test_counts_that_are_not_above_zero_are_refused(
    broken: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SMALL, *broken]) == 2
    assert "above 0" in capsys.readouterr().err
