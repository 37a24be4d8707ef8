"""Profiles: every value has one cell, counts add up, and what is odd has a cell of its own."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_drift.profile import KNOWN, NULL, OTHER, UNSEEN, Profile, read
from assay_drift.reference import Answers, Rows, categories, numeric, presence, profile
from assay_drift.tally import Tally
from assay_drift.token import holder, predictor_token

FLOATS = st.floats(width=64) | st.just(math.nan)
WORDS = st.lists(st.none() | st.sampled_from(["a", "b", "ünï", ""]) | st.text(max_size=3))
KINDS = {"age": "number", "plan": "category", "note": "text", "spend": "number"}


def rows(count: int, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    numbers = np.stack([rng.integers(18, 90, count), rng.lognormal(3, 1, count)], axis=1).astype(float)
    plans = rng.choice(["basic", "pro"], count).tolist()
    return Rows(numbers, (plans, ["words"] * count))


def answers(count: int, seed: int = 1) -> Answers:
    scores = np.random.default_rng(seed).random(count)
    return Answers(["yes" if score >= 0.4 else "no" for score in scores], scores)


def made(count: int = 2000) -> Profile:
    return profile(KINDS, rows(count), answers(count), ("no", "yes"), 0.4)


@given(values=st.lists(FLOATS), more=st.lists(FLOATS))
def test_every_number_has_one_cell_and_counts_add_up(values: list[float], more: list[float]) -> None:
    column = numeric(np.array(values, dtype=float))
    assert column.counts.sum() == len(values)
    both = column.count(np.array(values + more, dtype=float))
    assert (both == column.counts + column.count(np.array(more, dtype=float))).all()
    assert column.counts[NULL] == sum(map(math.isnan, values))


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_no_reference_value_is_out_of_range_and_any_other_beyond_them_is(values: list[float]) -> None:
    column = numeric(np.array(values))
    assert column.counts[-1] == 0
    low, high = math.nextafter(min(values), -math.inf), math.nextafter(max(values), math.inf)
    assert column.count(np.array([high]))[-1] == 1
    if math.isfinite(low):
        assert (column.counts[1], column.count(np.array([low]))[1]) == (0, 1)


@given(values=WORDS)
def test_every_category_of_the_reference_has_a_cell(values: list[Any]) -> None:
    column = categories(values)
    assert column.counts.sum() == len(values)
    assert column.counts[UNSEEN] == 0
    assert column.counts[NULL] == values.count(None)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        pytest.param("c0", KNOWN, id="a known one"),
        pytest.param("c150", OTHER, id="a rare one"),
        pytest.param("new", UNSEEN, id="one that was never seen"),
        pytest.param(math.nan, NULL, id="null"),
    ],
)
def test_what_is_odd_has_a_cell_of_its_own(value: Any, cell: int) -> None:
    column = categories([f"c{i}" for i in range(200) for _ in range(200 - i)])
    assert column.count([value]).nonzero()[0].tolist() == [cell]


def test_with_very_many_categories_nothing_is_called_unseen() -> None:
    column = categories([f"c{i}" for i in range(5000)])
    assert column.count(["new"]).nonzero()[0].tolist() == [OTHER]


def test_a_frequent_value_has_a_cell_of_its_own() -> None:
    """Half of the rows spend nothing: a cell that they share with others would hide both."""
    spend = np.concatenate([np.zeros(1000), np.random.default_rng(0).lognormal(3, 1, 1000) - 5])
    column = numeric(spend)
    assert column.count(np.zeros(7)).max() == 7
    at = int(column.count(np.zeros(1)).argmax())
    assert column.counts[at] == 1000


def test_quantile_cells_are_about_equally_full() -> None:
    counts = numeric(np.random.default_rng(0).normal(size=10_000)).counts[2:-1]
    assert (len(counts), counts.min() >= 99, counts.max() <= 101) == (100, True, True)


def test_the_threshold_is_an_edge_so_labels_can_be_told_from_scores() -> None:
    column = made().predictions["score"]
    below, above = column.count(np.array([0.4])), column.count(np.array([np.nextafter(0.4, 1)]))
    assert (below != above).any()


def test_a_file_says_all_of_it() -> None:
    first = made()
    again = read(first.to_bytes())
    assert again.to_bytes() == first.to_bytes()
    assert (again.rows, again.answers) == (2000, 2000)
    new = rows(50, seed=9)
    for name, column in first.features.items():
        values = {
            "age": new.numbers[:, 0],
            "spend": new.numbers[:, 1],
            "plan": new.texts[0],
            "note": new.texts[1],
        }
        assert (again.features[name].count(values[name]) == column.count(values[name])).all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            b'"schemaVersion":1', b'"schemaVersion":2', "schemaVersion is 2", id="of another release"
        ),
        pytest.param(b'"kind":"presence"', b'"kind":"guess"', "kind 'guess'", id="an unknown kind"),
        pytest.param(b'"counts":[0,2000]', b'"counts":[2000]', "'note': 1 counts for 2 cells", id="too few"),
        pytest.param(b'"counts":[0,2000]', b'"counts":[-1,2001]', "'note'", id="a negative count"),
        pytest.param(
            b'"edges":[17', b'"edges":[170', "edges are not finite and ascending", id="edges upside down"
        ),
        pytest.param(b'"rows":2000,', b"", "lacks something", id="a field that is missing"),
        pytest.param(b"{", b"", "Extra data", id="no JSON"),
    ],
)
def test_what_is_no_profile_is_refused_by_name(old: bytes, new: bytes, message: str) -> None:
    content = made().to_bytes()
    assert old in content
    with pytest.raises(ValueError, match=message):
        read(content.replace(old, new, 1))


def test_a_tally_counts_all_but_what_is_left_out_and_begins_anew() -> None:
    tally = Tally(made(), KINDS, exclude=["spend", "plan"])
    for seed in (3, 4):
        tally.add(rows(100, seed), answers(100, seed))
    counted = tally.take().plain()
    assert counted["rows"] == 200
    assert counted["features"].keys() == {"age", "note"}
    assert counted["predictions"].keys() == {"label", "score"}
    assert all(
        sum(counts) == 200 for part in ("features", "predictions") for counts in counted[part].values()
    )
    assert tally.take().rows == 0


def test_deltas_add_up_to_the_whole() -> None:
    first = made()
    apart, together = Tally(first, KINDS), Tally(first, KINDS)
    deltas = []
    for seed in range(5):
        apart.add(rows(70, seed), answers(70, seed))
        together.add(rows(70, seed), answers(70, seed))
        deltas.append(apart.take())
    whole = together.take()
    for name, counts in whole.features.items():
        assert np.array_equal(sum(delta.features[name] for delta in deltas), counts)


def test_a_profile_of_other_columns_counts_nothing() -> None:
    with pytest.raises(ValueError, match="profile is of"):
        Tally(made(), {"age": "number"})
    with pytest.raises(ValueError, match="profile is of"):
        Tally(made(), KINDS | {"plan": "number"})


def test_a_regression_is_counted_by_value() -> None:
    values = Answers(None, np.arange(100.0))
    made_of = profile(KINDS, rows(100), values, (), None)
    assert made_of.predictions.keys() == {"value"}
    assert made_of.answers == 100


def test_texts_are_counted_by_their_nulls_only() -> None:
    assert presence(["a", None, "b"]).counts.tolist() == [1, 2]
    assert b"words" not in made().to_bytes()


def test_a_badge_is_good_for_one_namespace_and_one_installation() -> None:
    token = predictor_token(b"key", "team-a")
    assert holder(b"key", token) == "team-a"
    for key, other in (
        (b"other", token),
        (b"key", token.replace("team-a", "team-b")),
        (b"key", "team-a"),
        (b"key", ""),
        (b"key", "ü.ü"),
        (b"", predictor_token(b"", "team-a")),
    ):
        assert holder(key, other) is None
