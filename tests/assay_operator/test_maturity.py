"""Without a window only units decide whose outcomes have come: what is counted, and what is shown of it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import decision_runs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from decision_runs import START, experiment_facts, spec

from assay_api import Experiment
from assay_api.experiment_status import ExperimentState, ExperimentStatus
from assay_api.names import mature
from assay_collector.attribution.unit import Exposure
from assay_collector.batch import Exposures, Outcomes, Reported, Tick
from assay_collector.ledger.transaction import transact
from assay_collector.ledger.unit_of_work import Policy
from assay_collector.parsing.records import declared as declared_by_operator
from assay_collector.store.engine import migrated, opened
from assay_collector.store.summary import summary
from assay_operator.decide.analysis import plan
from assay_operator.decide.maturity import IMMATURE, Maturity, finding
from assay_operator.decide.reporting import analyses
from assay_operator.decide.verdict import decide
from assay_operator.manifests.definition import definition
from assay_operator.telemetry.collector import Collector
from assay_operator.telemetry.http import http
from assay_stats import Moments

GUARD = {"guardrails": [{"name": "complaints", "source": "Events", "margin": {"absolute": 0.02}}]}
GIVEN = {"guardrails": [GUARD["guardrails"][0] | {"lag": "2h"}]}
RATES = Moments.proportion


def declared(metrics: dict[str, Any], **plan_: Any) -> dict[str, Any]:
    """Return what the collector is declared of the first metric."""
    design = spec(metrics)
    state = ExperimentState(plan=plan(design).changed(**plan_))
    experiment = Experiment.model_validate(
        {"metadata": {"name": "e", "namespace": "n", "uid": "u"}, "spec": design.model_dump(by_alias=True)}
    )
    first: dict[str, Any] = definition(experiment, ExperimentStatus(state=state))["metrics"][0]
    return {name: first[name] for name in ("lagSeconds", "learnsLag") if name in first}


def test_the_collector_learns_the_lag_that_nobody_has_given() -> None:
    assert declared(GUARD) == {"lagSeconds": 43_200.0, "learnsLag": True}, "until then half of maxDuration"
    assert declared(GIVEN) == {"lagSeconds": 7200.0, "learnsLag": False}


def test_an_experiment_that_began_before_there_were_lags_goes_on_as_it_was_declared() -> None:
    assert declared(GUARD, lags={}) == {}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"window": "1h"}, id="units count once their window has closed"),
        pytest.param({"missing": "Ignore"}, id="a unit without an outcome is none"),
        pytest.param({"source": "Gateway"}, id="an answer is bad when it ends"),
    ],
)
def test_other_metrics_need_no_lag(change: dict[str, Any]) -> None:
    assert plan(spec({"guardrails": [GUARD["guardrails"][0] | change]})).lags == {}


def test_young_units_clear_nothing_and_old_ones_do() -> None:
    design = spec(GUARD)
    clean = [RATES(20_000, 0)] * 2
    for old, verdict in (([RATES(0, 0)] * 2, "Hold"), (clean, "Promote")):
        end = decide(experiment_facts(design, {"complaints": clean, mature("complaints"): old}))
        assert end.kind == verdict
        assert (IMMATURE in end.message) is (verdict == "Hold")


def test_harm_is_seen_of_all_units_and_at_once() -> None:
    design = spec(GUARD)
    counts = {"complaints": [RATES(30, 0), RATES(30, 30)], mature("complaints"): [RATES(0, 0)] * 2}
    assert decide(experiment_facts(design, counts)).kind == "RollBack"


def test_where_the_lag_is_learned_a_tenth_of_the_outcomes_may_be_missing() -> None:
    """A margin of .02 is judged as one of .018: so much of a difference of .02 is seen at least."""
    within = {}
    for metrics in (GUARD, GIVEN):
        (reading,) = experiment_facts(spec(metrics), {"complaints": [RATES(9000, 90)] * 2}).readings
        assert reading.non_inferiority
        within[len(metrics["guardrails"][0])] = reading.non_inferiority.margin
    assert sorted(within.values()) == pytest.approx([0.018, 0.02])


def test_a_win_is_one_of_mature_units_and_a_loss_may_be_one_of_all() -> None:
    design = spec({"primary": {"name": "bought"}})
    better, alike = [RATES(5000, 500), RATES(5000, 800)], [RATES(900, 90)] * 2
    early = experiment_facts(design, {"bought": better, mature("bought"): alike})
    assert decide(early).kind == "Hold"
    assert analyses(early.spec, plan(early.spec), early.readings)[0].units == 1800
    assert decide(experiment_facts(design, {"bought": alike, mature("bought"): better})).kind == "Promote"
    end = decide(experiment_facts(design, {"bought": [*reversed(better)], mature("bought"): alike}))
    assert end.kind == "RollBack"


def test_a_lag_that_has_grown_is_not_reached_before_it_is_over() -> None:
    at = START + timedelta(hours=10)
    assert Maturity(3600, learned=True, until=at - timedelta(hours=1)).reached(at)
    assert not Maturity(7200, learned=True, until=at - timedelta(hours=1)).reached(at)
    assert not Maturity(0, learned=False, until=None).reached(at)


def test_the_status_says_what_is_known_of_the_lag() -> None:
    design, known = spec(GUARD), Maturity(5400, learned=True, until=datetime(2026, 1, 1))
    assert "12h on, half of maxDuration" in finding(design, plan(design), {})
    assert "1h30m on, learned" in finding(design, plan(design), {"complaints": known})
    assert "as lag says" in finding(spec(GIVEN), plan(spec(GIVEN)), {})


LATE = [row for row in decision_runs.late() if "after 3 h" in row[0]]


@pytest.mark.parametrize("row", LATE, ids=lambda row: row[0])
def test_what_is_not_known_yet_decides_nothing(row: decision_runs.Row) -> None:
    name, world, kinds, _, _ = row
    assert decision_runs.rate(world, kinds, 1) == 0, name


async def test_what_the_collector_counts_of_mature_units_reaches_the_verdict(tmp_path: Path) -> None:
    """The definition is taken by a real ledger, and its summary is read by the operator's client."""
    design = spec(GIVEN)
    state = ExperimentState(plan=plan(design))
    experiment = Experiment.model_validate(
        {"metadata": {"name": "e", "namespace": "n", "uid": "u"}, "spec": design.model_dump(by_alias=True)}
    )
    body = json.dumps(definition(experiment, ExperimentStatus(state=state))).encode()
    engine, now = opened(f"sqlite:///{tmp_path}/ledger.db"), 1_800_000_000_000_000
    migrated(engine)
    units = [bytes([n]) * 16 for n in range(4)]
    arms = ("control", "one", "control", "one")
    rows = [
        ("u", Exposure(unit, now, unit, arm, arm, 1, 200, 9, 1, sound=True))
        for unit, arm in zip(units, arms, strict=True)
    ]
    bad = Outcomes([Reported(("n", "churn"), units[1], "complaints", b"1", now + 5, 1.0)])
    with engine.begin() as connection:
        transact(connection, Policy(), now, [declared_by_operator("u", body), Exposures(rows)])
        transact(connection, Policy(), now + 5, [bad])
        transact(connection, Policy(), now + 7200 * 1_000_000, [Tick()])
        answer = summary(connection, "u")
    engine.dispose()

    async def answering(_: web.Request) -> web.Response:
        return web.json_response(answer)

    served = web.Application()
    served.router.add_get("/v1/experiments/u/summary", answering)
    async with TestServer(served) as server, http() as session:
        url = f"http://127.0.0.1:{server.port}"
        found = await Collector(session, url, lambda: "token").summary("u")
    assert found is not None
    assert found.arms["one"].moments[mature("complaints")] == RATES(2, 1)
    maturity = found.maturity["complaints"]
    assert (maturity.lag, maturity.learned) == (7200, False)
    assert maturity.reached(datetime.fromtimestamp(now / 1e6 + 7200, UTC))
