"""What a stream of events does to the sums: attribution, windows, order, exclusion; and the recount."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import pytest

from assay_collector.attribution.experiment import Plan, Progress
from assay_collector.attribution.metric import Aggregate, Metric, Missing, Source, Type
from assay_collector.attribution.unit import Exposure, Patience
from assay_collector.batch import Declared, Exposures, Outcomes, Reported
from assay_collector.ledger.closing import close
from assay_collector.ledger.unit_of_work import Policy
from assay_collector.store.experiments import Frozen

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND  # where the ledger's clock starts
REF = ("demo", "churn")


def digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


def metric(name: str = "retained", **other: Any) -> Metric:
    plain = Metric(name, Type.PROPORTION, Source.EVENTS, None, Missing.ZERO, Aggregate.ANY, None, None)
    return replace(plain, **other)


def declared(*metrics: Metric, uid: str = "exp-1", closed: bool = False) -> Declared:
    plan = Plan("demo", "churn", "boost", ("control", "boosted"), metrics, None)
    return Declared(uid, plan, Progress("control:0-5000,boosted:5000-10000", 1, closed))


def exposed(unit: str, at: float = -10, arm: str = "control", number: object = 0, **other: Any) -> Exposure:
    """An exposure, `at` seconds from where the clock starts."""
    key = digest(f"{unit} {at} {number}")
    plain = Exposure(key, NOW + round(at * SECOND), digest(unit), arm, arm, 1, 200, 900, 1, sound=True)
    return plain._replace(**other)


def exposures(*rows: Exposure, uid: str = "exp-1") -> Exposures:
    return Exposures([(uid, row) for row in rows])


def outcome(
    unit: str, value: float = 1, at: float = 0, number: object = 0, name: str = "retained"
) -> Reported:
    return Reported(REF, digest(unit), name, digest(str(number)), NOW + round(at * SECOND), value)


def outcomes(*rows: Reported) -> Outcomes:
    return Outcomes(rows)


def cell(ledger: Any, name: str = "retained", arm: str = "control") -> tuple[int, float, float]:
    found = ledger.summary()["arms"][arm]["metrics"][name]
    return found["n"], found["sum"], found["sumsq"]


def test_a_unit_counts_at_once_without_a_window_and_its_zero_becomes_its_value(ledger: Any) -> None:
    ledger(declared(metric()), exposures(exposed("ann"), exposed("bob")))
    assert cell(ledger) == (2, 0, 0)
    ledger(outcomes(outcome("ann")))
    assert cell(ledger) == (2, 1, 1)


def test_the_same_exposure_counts_once_in_one_batch_and_over_batches(ledger: Any) -> None:
    ledger(declared(metric()))
    first = ledger.one(exposures(exposed("ann"), exposed("ann")))
    assert (first.accepted, first.duplicates) == (1, 1)
    again = ledger.one(exposures(exposed("ann")))
    assert (again.accepted, again.duplicates) == (0, 1)
    found = ledger.summary()
    assert found["arms"]["control"]["exposures"] == 1
    assert found["checks"]["duplicateExposures"] == 2


def test_the_same_outcome_counts_once_in_one_group_and_over_groups(ledger: Any) -> None:
    ledger(declared(metric("paid", type=Type.MEAN, aggregate=Aggregate.SUM)), exposures(exposed("ann")))
    one = outcomes(outcome("ann", 12.5, name="paid"))
    answers = [*ledger(one, one), *ledger(one)]
    assert [(a.accepted, a.duplicates) for a in answers] == [(1, 0), (0, 1), (0, 1)]
    assert cell(ledger, "paid") == (1, 12.5, 156.25)


def test_an_id_is_used_again_for_another_metric_and_another_unit(ledger: Any) -> None:
    ledger(declared(metric(), metric("clicked")), exposures(exposed("ann"), exposed("bob")))
    rows = [outcome("ann"), outcome("ann", name="clicked"), outcome("bob")]
    assert ledger.one(outcomes(*rows)).accepted == 3


@pytest.mark.parametrize(
    ("aggregate", "values", "expected"),
    [
        pytest.param(Aggregate.SUM, [1, 2.5, 4], 7.5, id="Sum adds all"),
        pytest.param(Aggregate.MAX, [1, 4, 2.5], 4, id="Max keeps the largest"),
        pytest.param(Aggregate.FIRST, [3, 4, 2.5], 3, id="First keeps what happened first"),
        pytest.param(Aggregate.LAST, [1, 4, 2.5], 2.5, id="Last keeps what happened last"),
    ],
)
@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "in reverse order of arrival"])
def test_several_outcomes_of_one_unit(
    ledger: Any, aggregate: Aggregate, values: Sequence[float], expected: float, *, backwards: bool
) -> None:
    ledger(declared(metric("paid", type=Type.MEAN, aggregate=aggregate)), exposures(exposed("ann")))
    rows = [outcome("ann", value, at - 5, at, "paid") for at, value in enumerate(values)]
    for row in reversed(rows) if backwards else rows:
        ledger(outcomes(row))
    assert cell(ledger, "paid") == (1, expected, expected**2)


def test_a_proportion_is_one_or_zero_whatever_the_values(ledger: Any) -> None:
    ledger(declared(metric(aggregate=Aggregate.SUM)), exposures(exposed("ann"), exposed("bob")))
    ledger(outcomes(outcome("ann", 3, number=1), outcome("ann", 4, number=2), outcome("bob", 0)))
    assert cell(ledger) == (2, 1, 1)


def test_a_cap_bounds_what_one_unit_adds(ledger: Any) -> None:
    ledger(
        declared(metric("paid", type=Type.MEAN, aggregate=Aggregate.SUM, cap=10.0)), exposures(exposed("ann"))
    )
    ledger(outcomes(outcome("ann", 8, number=1, name="paid"), outcome("ann", 8, number=2, name="paid")))
    assert cell(ledger, "paid") == (1, 10, 100)


def test_a_unit_without_an_outcome_is_no_value_where_missing_is_ignored(ledger: Any) -> None:
    ledger(declared(metric(missing=Missing.IGNORE)), exposures(exposed("ann"), exposed("bob")))
    assert cell(ledger) == (0, 0, 0)
    ledger(outcomes(outcome("bob", 0)))
    assert cell(ledger) == (1, 0, 0)


def test_a_unit_counts_when_its_window_closes_and_not_before(ledger: Any) -> None:
    ledger(declared(metric(window=60 * SECOND)), exposures(exposed("ann", 0), exposed("bob", 0)))
    ledger(outcomes(outcome("ann")))
    assert cell(ledger) == (0, 0, 0)
    ledger.pass_time(59.9)
    assert cell(ledger) == (0, 0, 0)
    ledger.pass_time(0.1)
    assert cell(ledger) == (2, 1, 1)
    ledger.pass_time(100)
    assert cell(ledger) == (2, 1, 1)


def test_a_closed_window_ignores_what_comes_late_and_counts_it(ledger: Any) -> None:
    ledger(declared(metric(window=60 * SECOND)), exposures(exposed("ann", 0)))
    ledger.pass_time(61)
    answer = ledger.one(outcomes(outcome("ann", at=30)))
    assert (answer.accepted, answer.late) == (1, 1)
    assert cell(ledger) == (1, 0, 0)
    assert ledger.summary()["checks"]["lateOutcomes"] == 1


def test_lateness_keeps_a_window_open_for_what_happened_in_it(ledger: Any) -> None:
    ledger.policy = Policy(Patience(lateness=30 * SECOND))
    ledger(declared(metric(window=60 * SECOND)), exposures(exposed("ann", 0)))
    ledger.pass_time(80)
    assert cell(ledger) == (0, 0, 0)
    ledger(outcomes(outcome("ann", at=30, number=1), outcome("ann", at=70, number=2)))
    ledger.pass_time(10)
    assert cell(ledger) == (1, 1, 1)
    assert ledger.summary()["checks"]["lateOutcomes"] == 1


def test_an_exposure_that_arrives_after_its_window_counts_at_once(ledger: Any) -> None:
    ledger(declared(metric(window=10 * SECOND)), exposures(exposed("ann", 0)))
    ledger.pass_time(20)
    ledger(exposures(exposed("late", -5)))
    assert cell(ledger) == (2, 0, 0)


def test_many_windows_close_in_steps_and_none_is_forgotten(ledger: Any) -> None:
    units = [exposed(f"unit {number}", number % 7 / 10 - 5) for number in range(500)]
    ledger(declared(metric(window=SECOND)), exposures(*units))
    steps = 0
    while True:
        with ledger.engine.begin() as connection:
            if not close(connection, ledger.policy, ledger.now, step=50):
                break
        steps += 1
    assert steps == 7, "units of the same instant are never split"
    assert cell(ledger) == (500, 0, 0)


def test_an_outcome_before_its_exposure_waits_for_it(ledger: Any) -> None:
    ledger(declared(metric()))
    answer = ledger.one(outcomes(outcome("ann")))
    assert (answer.accepted, answer.orphans) == (1, 1)
    assert ledger.summary()["checks"]["orphanOutcomes"] == 1
    ledger(exposures(exposed("ann", -1)))
    assert cell(ledger) == (1, 1, 1)
    assert ledger.summary()["checks"]["orphanOutcomes"] == 0


def test_what_happened_long_before_the_exposure_is_not_its_effect(ledger: Any) -> None:
    ledger(declared(metric()), exposures(exposed("ann", -10), exposed("bob", -10)))
    ledger(outcomes(outcome("ann", at=-69), outcome("bob", at=-71)))
    assert cell(ledger) == (2, 1, 1), "60 s of skew between two clocks are forgiven"


def test_an_earlier_exposure_moves_the_window_and_the_outcomes_with_it(ledger: Any) -> None:
    ledger.policy = Policy(Patience(skew=0, lateness=1000 * SECOND))
    ledger(declared(metric(window=20 * SECOND)), exposures(exposed("ann", 0)))
    ledger.now += 30 * SECOND
    ledger(outcomes(outcome("ann", at=15)))
    ledger(exposures(exposed("ann", -10)))
    ledger.pass_time(2000)
    assert cell(ledger) == (1, 0, 0), "15 s after the later exposure is 25 s after the first"


def test_a_unit_in_two_arms_is_excluded_and_counted_once(ledger: Any) -> None:
    ledger(declared(metric(), metric("errors", source=Source.GATEWAY)))
    ledger(exposures(exposed("ann"), exposed("bob")), outcomes(outcome("ann")))
    ledger(exposures(exposed("ann", arm="boosted", number=1), exposed("ann", arm="boosted", number=2)))
    found = ledger.summary()
    assert found["checks"]["crossoverUnits"] == 1
    assert [found["arms"][arm]["units"] for arm in ("control", "boosted")] == [1, 0]
    assert [found["arms"][arm]["exposures"] for arm in ("control", "boosted")] == [2, 2]
    assert cell(ledger) == (1, 0, 0)
    assert cell(ledger, "errors") == (1, 0, 0)


def test_a_unit_that_asks_like_a_machine_is_excluded_and_counted(ledger: Any) -> None:
    ledger.policy = Policy(hourly=5)
    ledger(declared(metric()), exposures(*(exposed("bot", number=n) for n in range(6)), exposed("ann")))
    assert ledger.summary()["checks"]["botUnits"] == 1
    assert cell(ledger) == (1, 0, 0)


BAD_ANSWERS = [
    pytest.param({"status": 500}, id="a server error"),
    pytest.param({"status": 0}, id="no answer at all"),
    pytest.param({"served": "control"}, id="another arm covered"),
    pytest.param({"served": None}, id="nobody served"),
    pytest.param({"attempts": 2}, id="it took a second attempt"),
]


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_a_failure_counts_once_for_the_unit_under_the_assigned_arm(
    ledger: Any, answer: dict[str, Any]
) -> None:
    ledger(declared(metric("errors", source=Source.GATEWAY)))
    bad = [exposed("ann", arm="boosted", number=n)._replace(**answer) for n in range(3)]
    ledger(exposures(*bad, exposed("ann", arm="boosted", number=9), exposed("bob", arm="boosted")))
    assert cell(ledger, "errors", "boosted") == (2, 1, 1)


def test_what_the_shipper_judged_is_not_judged_again(ledger: Any) -> None:
    ledger(declared(metric("errors", source=Source.GATEWAY)))
    well = exposed("ann", status=404, failed=False), exposed("bob", attempts=2, failed=False)
    ledger(exposures(*well, exposed("eve", failed=True)))
    assert cell(ledger, "errors") == (3, 1, 1)


def test_slow_answers_count_by_unit(ledger: Any) -> None:
    ledger(declared(metric("slow", source=Source.GATEWAY, slower_than=200_000)))
    slow = [exposed("ann", duration=200_001, number=n) for n in range(3)]
    ledger(exposures(*slow, exposed("bob", duration=200_000, status=500)))
    assert cell(ledger, "slow") == (2, 1, 1)


def test_what_nobody_declared_is_counted_and_not_kept(ledger: Any) -> None:
    ledger(declared(metric(), metric("errors", source=Source.GATEWAY)))
    rows = [
        outcome("ann", name="nothing like it"),
        outcome("ann", name="errors"),  # the gateway's to report
        outcome("ann")._replace(model=("demo", "other")),
    ]
    answer = ledger.one(outcomes(*rows, outcome("bob")))
    assert (answer.unknown, answer.accepted) == (3, 1)
    assert set(answer.unknown_metrics) >= {"nothing like it", "errors"}
    strangers = ledger.one(exposures(exposed("ann", arm="third")))
    assert (strangers.unknown, strangers.accepted) == (1, 0)
    assert ledger.one(exposures(exposed("ann"), uid="exp-2")).unknown == 1


def test_names_that_nobody_declared_are_in_the_summary_of_the_experiment_that_ran(ledger: Any) -> None:
    ledger(declared(metric()))
    revision = ledger.summary()["revision"]
    ledger(outcomes(outcome("ann", name="retaind"), outcome("ann")))
    assert ledger.summary()["unknownMetrics"] == ["retaind"]
    assert ledger.summary()["revision"] > revision, "the operator is told"
    revision = ledger.summary()["revision"]
    ledger(outcomes(outcome("bob", name="retaind")))
    assert ledger.summary()["revision"] == revision, "the same name is no news"
    ledger.now += 120 * SECOND
    ledger(declared(metric(), closed=True), declared(metric(), uid="exp-2"))
    assert ledger.summary("exp-2")["unknownMetrics"] == []
    ledger(outcomes(outcome("bob", at=130, name="retaind")))
    assert ledger.summary("exp-2")["unknownMetrics"] == ["retaind"]


def test_of_many_unknown_names_the_newest_are_kept(ledger: Any) -> None:
    ledger(declared(metric()))
    for batch in range(5):
        ledger.now += SECOND
        ledger(outcomes(*(outcome("ann", name=f"n{batch}-{i:02}") for i in range(8))))
    found = ledger.summary()["unknownMetrics"]
    assert len(found) == 20
    assert {f"n4-{i:02}" for i in range(8)} <= set(found)
    assert not any(name.startswith("n0") for name in found)
    ledger.now += SECOND
    ledger(outcomes(*(outcome("ann", name=f"x-{i:03}") for i in range(100))))
    assert len(ledger.summary()["unknownMetrics"]) == 20


def test_without_a_running_experiment_no_name_is_kept(ledger: Any) -> None:
    ledger(declared(metric(), closed=True), outcomes(outcome("ann", name="retaind")))
    assert ledger.summary()["unknownMetrics"] == []


def test_a_closed_experiment_changes_no_more(ledger: Any) -> None:
    ledger(declared(metric()), exposures(exposed("ann")))
    before = ledger.summary()["arms"]
    ledger(declared(metric(), closed=True))
    assert ledger.one(exposures(exposed("bob"))).late == 1
    assert ledger.one(outcomes(outcome("ann"))).late == 1
    assert ledger.summary()["arms"] == before
    assert ledger.summary()["checks"]["lateOutcomes"] == 1


def test_the_next_experiment_of_a_model_starts_empty_and_gets_its_own_outcomes(ledger: Any) -> None:
    ledger(declared(metric()), exposures(exposed("ann")), outcomes(outcome("ann")))
    ledger(declared(metric(), closed=True), declared(metric(), uid="exp-2"))
    ledger.now += 120 * SECOND
    ledger(exposures(exposed("ann", 110), uid="exp-2"))
    assert ledger.summary("exp-2")["arms"]["control"]["metrics"]["retained"]["sum"] == 0
    ledger(outcomes(outcome("ann", at=115, number=1)))
    assert ledger.summary("exp-2")["arms"]["control"]["metrics"]["retained"]["sum"] == 1
    assert cell(ledger) == (1, 1, 1)


def test_a_declaration_is_idempotent_may_move_the_table_and_nothing_else(ledger: Any) -> None:
    assert ledger.one(declared(metric())).changed
    assert not ledger.one(declared(metric())).changed
    moved = replace(declared(metric()), progress=Progress("control:0-10,boosted:5000-5010", 2, closed=False))
    assert ledger.one(moved).changed
    with pytest.raises(Frozen, match="metrics"):
        ledger(declared(metric("other")))


def test_clocks_ahead_are_set_to_the_moment_of_arrival(ledger: Any) -> None:
    ledger(declared(metric(window=60 * SECOND)))
    ledger(exposures(exposed("ann", 100_000)), outcomes(outcome("ann", at=100_000)))
    assert ledger.one(exposures(exposed("ann", 100_000))).duplicates == 1
    ledger.pass_time(61)
    assert cell(ledger) == (1, 1, 1)


def test_a_failed_audit_is_counted(ledger: Any) -> None:
    ledger(declared(metric()), exposures(exposed("ann", sound=False), exposed("bob")))
    assert ledger.summary()["checks"]["auditMismatches"] == 1


def test_every_commit_that_changes_something_has_a_higher_revision(ledger: Any) -> None:
    revisions = []
    for batch in (
        declared(metric()),
        exposures(exposed("ann")),
        outcomes(outcome("ann")),
        exposures(exposed("ann")),
    ):
        ledger(batch)
        revisions.append(ledger.summary()["revision"])
    assert revisions == sorted(set(revisions))
    ledger.pass_time(10)
    assert ledger.summary()["revision"] == revisions[-1], "time alone is no news"
