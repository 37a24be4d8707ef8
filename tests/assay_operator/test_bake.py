"""A new champion against the level of the former one: what is a breach, what is none, what is chance."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from math import log
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_api import Model
from assay_api.bake import SlowerThan
from assay_assign import SLOWER_THAN
from assay_operator.decide.bake import (
    ALPHA,
    LONGEST,
    Answers,
    BakeReading,
    breach,
    former_level,
    guardrail_note,
    measured,
    watch,
)
from assay_stats.exactmargin import Counts, log_harm

SINCE = datetime(2026, 1, 2, tzinfo=UTC)
NOW = SINCE + timedelta(minutes=5)
ERRORS = {"name": "errors", "margin": {"absolute": 0.05}}
SLOW = {"name": "slow", "slowerThan": "200ms", "margin": {"absolute": 0.1}}
GOOD = Answers(600, 0.0)


def model(bake: Mapping[str, Any] | None = None, cause: str = "Replace", **state: Any) -> Model:
    history = [
        {"version": "churn-2", "since": SINCE.isoformat(), "cause": cause},
        {"version": "churn-1", "since": "2026-01-01T00:00:00Z"},
    ]
    return Model.model_validate(
        {
            "metadata": {"name": "churn", "namespace": "team", "uid": "u"},
            "spec": {"image": {"image": "x"}, "rollout": {"bake": bake or {}}},
            "status": {"champion": "churn-2", "history": history, "state": state},
        }
    )


def reading(
    the_model: Model, champion: Answers | None, former: Answers | None, fault: str = ""
) -> BakeReading:
    return BakeReading(watch(the_model), champion, former, fault)


@pytest.mark.parametrize(
    ("champion", "former", "breached"),
    [
        pytest.param(Answers(3, 3.0), GOOD, True, id="three seconds in which everything fails"),
        pytest.param(Answers(2, 2.0), GOOD, False, id="two of them: a hiccup"),
        pytest.param(Answers(10, 5.0), GOOD, True, id="half of it fails for ten seconds"),
        pytest.param(Answers(60, 12.0), GOOD, True, id="a fifth fails for a minute"),
        pytest.param(Answers(600, 24.0), GOOD, False, id="worse, and within the margin"),
        pytest.param(Answers(300, 0.0), GOOD, False, id="nothing fails"),
        pytest.param(Answers(300, 60.0), Answers(600, 120.0), False, id="as bad as the former one was"),
        pytest.param(Answers(120, 60.0), Answers(600, 120.0), True, id="worse than a bad one"),
        pytest.param(
            Answers(12, 12.0), Answers(5, 0.0), True, id="a level of a few seconds: it takes longer"
        ),
        pytest.param(Answers(6, 6.0), Answers(5, 0.0), False, id="a level of a few seconds: not yet"),
        pytest.param(Answers(60, 60.0), Answers(0, 0.0), False, id="the former one had no answers"),
        pytest.param(Answers(60, 60.0), None, False, id="its level was not read"),
        pytest.param(None, GOOD, False, id="the new one was not read"),
        pytest.param(Answers(0, 0.0), GOOD, False, id="nobody asks the new one"),
    ],
)
def test_errors(champion: Answers | None, former: Answers | None, *, breached: bool) -> None:
    words = breach(model(), reading(model(), champion, former), NOW)
    assert (words is not None) is breached
    if words:
        assert words.startswith("guardrail errors breached: churn-2 - churn-1 = +")
        assert "margin 0.05" in words


@pytest.mark.parametrize(
    ("bake", "breached"),
    [
        pytest.param({}, True, id="by default"),
        pytest.param({"guardrails": []}, False, id="pods only"),
        pytest.param({"guardrails": [ERRORS | {"margin": {"absolute": 0.9}}]}, False, id="a wide margin"),
        pytest.param({"guardrails": [SLOW]}, False, id="slowness only"),
        pytest.param({"guardrails": [SLOW, ERRORS]}, True, id="either"),
        pytest.param({"duration": "4m"}, False, id="the bake is over"),
        pytest.param({"duration": "0s"}, False, id="no bake"),
    ],
)
def test_what_a_person_chose(bake: dict[str, Any], *, breached: bool) -> None:
    whole = model(bake)
    assert (breach(whole, reading(whole, Answers(60, 60.0), GOOD), NOW) is not None) is breached


def test_slow_answers_count_at_the_bar_that_was_chosen() -> None:
    whole = model({"guardrails": [ERRORS, SLOW]})
    late = Answers(30, 0.0, {"100ms": 30.0, "200ms": 30.0, "500ms": 0.0})
    words = breach(whole, reading(whole, late, GOOD), NOW)
    assert words is not None
    assert words.startswith("guardrail slow breached")
    fast = Answers(30, 0.0, {"100ms": 30.0, "200ms": 0.0})
    assert breach(whole, reading(whole, fast, GOOD), NOW) is None


@pytest.mark.parametrize("cause", ["BakeFailed", "BakeBreached"])
def test_who_came_back_is_not_watched_against_who_failed(cause: str) -> None:
    back = model(cause=cause)
    assert (watch(back), measured(back, NOW), guardrail_note(back, BakeReading(), NOW)) == (None, None, "")


def test_guardrails_watch_for_an_hour_at_most() -> None:
    long = model({"duration": "2h"})
    long = long.model_copy(
        update={
            "spec": long.spec.model_copy(
                update={"rollout": long.spec.rollout.model_copy(update={"rollback_window": "3h"})}
            )
        }
    )
    assert measured(long, SINCE + LONGEST - timedelta(seconds=1))
    assert measured(long, SINCE + LONGEST) is None


def test_the_level_is_frozen_when_it_is_read_first() -> None:
    first = former_level(model(), reading(model(), None, Answers(600, 6.0, {"1s": 2.0, "2s": 0.0})), NOW)
    assert first is not None
    assert (first.seconds, first.errors, first.slow) == (600, 6.0, {"1s": 2.0})
    frozen = model(formerLevel=first.model_dump(mode="json", by_alias=True))
    assert former_level(frozen, reading(frozen, None, Answers(600, 300.0)), NOW) == first
    assert former_level(frozen, BakeReading(), NOW) == first, "it need not be read again"
    other = model(formerLevel=first.model_dump(mode="json", by_alias=True) | {"version": "churn-0"})
    assert former_level(other, BakeReading(), NOW) is None, "it is of another change"


def test_an_answer_about_another_change_decides_nothing() -> None:
    old = watch(model())
    assert old is not None
    stale = BakeReading(old._replace(since=SINCE - timedelta(hours=1)), Answers(60, 60.0), GOOD)
    assert breach(model(), stale, NOW) is None


@pytest.mark.parametrize(
    ("latest", "words"),
    [
        pytest.param(reading(model(), GOOD, GOOD), "guardrails: errors", id="all is well"),
        pytest.param(
            reading(model(), GOOD, GOOD, "no collector"), "cannot decide: no collector", id="silence"
        ),
        pytest.param(
            reading(model(), GOOD, Answers(0, 0.0)), "cannot decide: no answer of churn-1", id="no level"
        ),
        pytest.param(BakeReading(), "cannot decide: no answer of churn-1", id="not read yet"),
    ],
)
def test_what_guardrails_do_is_said(latest: BakeReading, words: str) -> None:
    assert words in guardrail_note(model(), latest, NOW)


def test_a_collector_that_fell_silent_still_leaves_what_was_shown() -> None:
    """Counts that were read stay true: they are not missing."""
    assert breach(model(), reading(model(), Answers(60, 60.0), GOOD, "silent now"), NOW)


def test_bars_of_slowness_are_those_that_are_counted() -> None:
    assert get_args(SlowerThan) == SLOWER_THAN


@given(
    seconds=st.integers(0, 3600),
    share=st.floats(0, 1),
    former=st.integers(0, 600),
    level=st.floats(0, 1),
)
def test_who_is_no_worse_than_the_margin_allows_is_never_in_breach(
    seconds: int, share: float, former: int, level: float
) -> None:
    champion, before = Answers(seconds, share * seconds), Answers(former, level * former)
    words = breach(model(), reading(model(), champion, before), NOW)
    assert words is None or share > level + 0.05


def looks(former: list[float], champion: Iterator[float], seconds: int) -> bool:
    """Whether any look at a champion is a breach; without a difference above the margin there is none."""
    before, total, bar = (sum(former), len(former)), 0.0, log(1 / ALPHA)
    allowed = sum(former) / len(former) + 0.05
    for second in range(1, seconds + 1):
        total += (share := next(champion))
        if share and total > allowed * second and log_harm(Counts(total, second, *before), 0.05) >= bar:
            return True
    return False


def alone(rng: random.Random, rate: float) -> Iterator[float]:
    """Seconds in which all requests share one fate: as dependent on each other as they can be."""
    while True:
        yield float(rng.random() < rate)


def mixed(rng: random.Random, rate: float) -> Iterator[float]:
    """Seconds of twenty requests that each fail alone."""
    while True:
        yield sum(rng.random() < rate for _ in range(20)) / 20


@pytest.mark.parametrize("kind", [alone, mixed])
@pytest.mark.parametrize(
    ("former", "champion"),
    [
        pytest.param(0.01, 0.01, id="equal"),
        pytest.param(0.2, 0.2, id="equal and bad"),
        pytest.param(0.01, 0.06, id="worse by the very margin"),
        pytest.param(0.2, 0.25, id="bad, and worse by the very margin"),
    ],
)
def test_few_champions_within_the_margin_are_undone(kind: Any, former: float, champion: float) -> None:
    rng, runs, undone = random.Random(7), 300, 0
    for _ in range(runs):
        before = kind(rng, former)
        level = [next(before) for _ in range(300)]
        undone += looks(level, kind(rng, champion), 600)
    assert undone <= ALPHA * runs


@pytest.mark.parametrize(("rate", "within"), [(1.0, 4), (0.5, 40), (0.25, 240)])
def test_a_worse_champion_is_undone_in_time(rate: float, within: int) -> None:
    rng = random.Random(11)
    before = mixed(rng, 0.01)
    found = sum(looks([next(before) for _ in range(600)], mixed(rng, rate), within) for _ in range(100))
    assert found >= 95
