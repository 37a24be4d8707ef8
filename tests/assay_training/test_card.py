"""The model card: the record of a version for people, and what has changed since the one before."""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from assay_artifact import fetch
from assay_cli.main import main
from assay_training.job.training import train
from assay_training.reporting.card import sections
from assay_training.reporting.pages import cards
from assay_training.reporting.plots import Plot, drawn
from assay_training.reporting.previous import PreviousVersion
from assay_training.spec import Job

Make = Callable[..., Job]


def stored(report: dict[str, Any]) -> dict[str, Any]:
    return {name: report["artifact"][name] for name in ("uri", "digest")}


@pytest.fixture
def two(job: Make) -> list[dict[str, Any]]:
    """The reports of a version, and of one after it with other parameters and one feature less."""
    gates = [
        {"metric": "rocAuc", "min": 0.999},
        {"metric": "accuracy", "min": 0.1, "slice": "international_plan"},
    ]
    first = train(job({"tuning": {"trials": 3}}, data={"provenance": "CRM | export"}, gates=gates))
    features = {"numeric": ["total_day_minutes"], "categorical": ["international_plan"]}
    again = {"features": features, "params": {"LogisticRegression": {"C": 0.5}}}
    return [first, train(job(again, gates=gates, number=2, before=stored(first)))]


def test_a_card_tells_the_version_and_what_changed(
    two: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (stored(report) for report in two)
    assert main(["card", first["uri"], "--digest", first["digest"]]) == 0
    told = capsys.readouterr().out
    assert told.startswith("# churn-1: classification of 'churn'\n")
    assert "it fails 1 of 2 gates. CRM | export" in told
    assert "## What changed" not in told
    assert "| total_day_minutes | number |" in told
    path = tmp_path / "card.html"
    assert (
        main(["card", second["uri"], "--digest", second["digest"], "--format", "html", "-o", str(path)]) == 0
    )
    page = path.read_text()
    HTMLParser().feed(page)
    assert "<th>churn-1</th><th>churn-2</th>" in page
    assert "<td>feature state</td><td>text</td><td>-</td>" in page
    assert page.count("<svg") == 3
    assert "<script" not in page


def test_a_card_that_was_changed_is_not_believed(two: list[dict[str, Any]]) -> None:
    first = stored(two[0])
    Path(first["uri"].removeprefix("file://"), "card.md").write_text("# all is well\n")
    assert main(["card", first["uri"], "--digest", first["digest"]]) == 2


def test_a_volume_of_the_cluster_is_told_with_the_command_that_reads_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["card", "file:///artifacts/nowhere", "--digest", "sha256:0"]) == 1
    assert "kubectl exec" in capsys.readouterr().err


def test_text_of_users_is_no_markup() -> None:
    story = {
        "version": "x-1", "task": "Regression", "bestParams": {"algorithm": "<b>"}, "observed": {},
        "training": {"data": {"target": "<script>", "provenance": "a\nb | c"}},
        "data": {"train": 1, "test": 1, "digest": "d"}, "metrics": {"test": {}, "crossValidation": {}},
        "gates": [{"passed": True, "metric": "rmse", "rule": "max 1", "message": "a | b"}],
    }  # fmt: skip
    found = cards(story, PreviousVersion(), {})
    assert b"<script>" not in found["card.html"]
    assert b"| passed | rmse | max 1 | a \\| b |" in found["card.md"]
    assert [name for name, _ in sections(story, PreviousVersion())] == [
        "Summary",
        "Gates",
        "Parameters",
        "Data",
    ]


def test_a_plot_stays_in_its_frame() -> None:
    svg = drawn(Plot("one < two", ("x", "y"), (((0.0, 5.0), (10.0, 5.0)),), ((3.0, 5.0),)))
    assert "one &lt; two" in svg
    assert 'points="40.0,220.0 320.0,220.0"' in svg


def test_the_first_version_pins_what_later_ones_are_held_against(
    job: Make, file: Path, tmp_path: Path
) -> None:
    first = train(job())
    assert fetch(**stored(first), into=tmp_path / "a").metadata["contract"]["columns"]["customer_id"] == {
        "unique": True,
        "maxNullFraction": 0.0,
    }
    again = train(job(number=2, before=stored(first)))
    handed = [
        fetch(**stored(each), into=tmp_path / each["artifact"]["digest"][7:12]) for each in (first, again)
    ]
    assert handed[0].metadata["contract"] == handed[1].metadata["contract"]
    rows = pandas.read_csv(file)
    broken = rows.assign(
        total_day_minutes=rows.total_day_minutes * 60,
        international_plan=rows.international_plan.replace("yes", "oui"),
    )
    broken.loc[:99, "state"] = np.nan
    broken.to_csv(file, index=False)
    with pytest.raises(Exception, match="what the first version saw") as refusal:
        train(job(number=3, before=stored(again)))
    for words in (
        "total_day_minutes: max",
        "international_plan: allowed",
        "'oui'",
        "state: maxNullFraction 0.05",
    ):
        assert words in str(refusal.value)
    train(job(data={"contract": {}}, number=3, before=stored(again)))
    listed = {"numeric": ["number_customer_service_calls"]}
    train(job({"features": listed}, number=4, before=stored(again)))


def test_a_version_whose_predecessor_is_gone_says_so(job: Make) -> None:
    report = train(job(number=2, before={"uri": "file:///gone", "digest": "sha256:" + "0" * 64}))
    assert json.dumps(report["findings"]).count("ContractLost") == 1
